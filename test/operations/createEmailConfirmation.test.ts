import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { adminRequest, countStatuses, startApplication } from '../support/application.js';
import { JSON_TYPE } from '../support/send.js';

const AT_ONCE = 20;

function confirmRequest(token: string) {
  return { method: 'POST', path: '/api/v1/user/email/confirm', headers: JSON_TYPE, body: JSON.stringify({ token }) };
}

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Users::EmailConfirmations on ${provider}`, async (t) => {
    const { admin, create, documented, logIn, request } = await startApplication(t, provider);
    const tokenFor = async (id: number, body?: object): Promise<string> =>
      (await admin('POST', `/${id}/email-confirmations`, 201, body)).token;
    const statusOf = async (token: string) => (await request(confirmRequest(token))).status;

    t.test('when the user has the email', async (t) => {
      const id = await create('foo@bar.com');
      const made = await documented(t.name, adminRequest('POST', `/${id}/email-confirmations`));
      t.equal(made.status, 201);
      const { token } = JSON.parse(made.body);
      t.match(token, /^ec_[\w-]{43}$/);
      const reply = await documented('when the token is good', confirmRequest(token));
      t.equal(reply.status, 204);
      const user = await admin('GET', `/${id}`, 200);
      t.match(user, { email: 'foo@bar.com', version: 2 });
      t.type(user.email_confirmed_at, 'string');
      const again = await documented('when the token has been used', confirmRequest(token));
      t.equal(again.status, 403);
    });

    t.test('when the email is a new one', async (t) => {
      const id = await create('old@bar.com');
      const token = await tokenFor(id, { email: ' New@bar.com' });
      t.match(await admin('GET', `/${id}`, 200), { email: 'old@bar.com' }, 'not yet');
      t.equal(await statusOf(token), 204);
      t.equal((await logIn('new@bar.com')).status, 200);
      t.equal((await logIn('old@bar.com')).status, 401);
    });

    t.test('when another user has the email', async (t) => {
      const id = await create('late@bar.com');
      t.equal((await admin('POST', `/${id}/email-confirmations`, 409, { email: 'foo@bar.com' })).code, 'email_taken');
      const token = await tokenFor(id, { email: 'wanted@bar.com' });
      const other = await create('wanted@bar.com');
      const reply = await request(confirmRequest(token));
      t.equal(reply.status, 409);
      t.equal(JSON.parse(reply.body).code, 'email_taken');
      await admin('DELETE', `/${other}`, 204);
      t.equal(await statusOf(token), 204, 'the token has stayed unused');
    });

    t.test('when another one was made, or the email or the password has changed', async (t) => {
      for (const [index, change] of [
        (id: number) => tokenFor(id),
        (id: number) => admin('PATCH', `/${id}`, 200, { email: `changed-${id}@bar.com` }),
        (id: number) => admin('PATCH', `/${id}`, 200, { password: 'horse battery staple' }),
        (id: number) => admin('PATCH', `/${id}`, 200, { disabled: true }),
      ].entries()) {
        const id = await create(`void-${index}@bar.com`);
        const token = await tokenFor(id);
        await change(id);
        t.equal(await statusOf(token), 403);
      }
      const id = await create('both@bar.com');
      const token = await tokenFor(id);
      await admin('POST', `/${id}/password-resets`, 201);
      t.equal(await statusOf(token), 204, 'one of another kind does not void it');
    });

    t.test('when twenty use it at once', async (t) => {
      const id = await create('race@bar.com');
      const token = await tokenFor(id);
      const replies = await Promise.all(Array.from({ length: AT_ONCE }, () => request(confirmRequest(token))));
      t.same(countStatuses(replies), { 204: 1, 403: AT_ONCE - 1 });
    });

    t.test('when it is refused', async (t) => {
      const id = await create('disabled@bar.com', { disabled: true });
      t.equal((await admin('POST', `/${id}/email-confirmations`, 409)).code, 'user_disabled');
      t.equal((await admin('POST', '/4711/email-confirmations', 404)).code, 'user_not_found');
      t.match((await admin('POST', `/${id}/email-confirmations`, 400, { email: 'x' })).errors, [{ field: 'email' }]);
      t.equal(await statusOf('ec_x'), 403);
      t.equal(await statusOf(''), 400);
    });
  });
}
