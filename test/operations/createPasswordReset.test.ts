import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { adminRequest, countStatuses, PASSWORD, startApplication } from '../support/application.js';
import { bearer } from '../support/keys.js';
import { JSON_TYPE } from '../support/send.js';
import { createDatabase } from '../support/service.js';

const NEW_PASSWORD = 'battery staple horse';
const AT_ONCE = 20;

function resetRequest(token: string, password = NEW_PASSWORD) {
  const body = JSON.stringify({ token, password });
  return { method: 'POST', path: '/api/v1/user/password/reset', headers: JSON_TYPE, body };
}

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Users::PasswordResets on ${provider}`, async (t) => {
    const application = await startApplication(t, provider);
    const { admin, create, documented, logIn, request, tokenOf } = application;
    let users = 0;
    const newUser = async () => {
      users += 1;
      const email = `user-${users}@bar.com`;
      return { id: await create(email), email };
    };
    const tokenFor = async (id: number, body?: object): Promise<string> =>
      (await admin('POST', `/${id}/password-resets`, 201, body)).token;
    const refused = async (token: string) => {
      const reply = await request(resetRequest(token));
      t.equal(reply.status, 403);
      t.same(JSON.parse(reply.body), { message: 'The token is not good', code: 'token_refused' });
    };

    t.test('when the user has forgotten the password', async (t) => {
      const { id, email } = await newUser();
      const session = await tokenOf(email);
      const made = await documented(t.name, adminRequest('POST', `/${id}/password-resets`));
      t.equal(made.status, 201);
      const { token, expires_at } = JSON.parse(made.body);
      t.match(token, /^pr_[\w-]{43}$/);
      t.type(Date.parse(expires_at), 'number');
      const weak = await request(resetRequest(token, 'password'));
      t.equal(weak.status, 422, 'the token stays unused');
      t.equal((await logIn(email)).status, 200);
      const reply = await documented('when the token is good', resetRequest(token));
      t.equal(reply.status, 204);
      t.equal((await logIn(email, NEW_PASSWORD)).status, 200);
      t.equal((await logIn(email)).status, 401);
      const asked = await request({ path: '/api/v1/session', headers: bearer(session) });
      t.equal(asked.status, 401, 'all sessions have ended');
      t.match(await admin('GET', `/${id}`, 200), { version: 2 });
    });

    t.test('when the token has been used, or is wrong', async (t) => {
      const { id } = await newUser();
      const token = await tokenFor(id);
      t.equal((await request(resetRequest(token))).status, 204);
      const reply = await documented(t.name, resetRequest(token));
      t.equal(reply.status, 403);
      await refused(token);
      await refused('pr_x');
      await refused(`pr_${'x'.repeat(43)}`);
      await refused((await admin('POST', `/${id}/email-confirmations`, 201)).token);
    });

    t.test('when another one was made, or the email has changed, or all sessions have ended', async (t) => {
      for (const change of [
        (id: number) => tokenFor(id),
        (id: number) => admin('PATCH', `/${id}`, 200, { email: `changed-${id}@bar.com` }),
        (id: number) => admin('PATCH', `/${id}`, 200, { password: 'horse battery staple' }),
        async (id: number) => {
          for (const disabled of [true, false]) await admin('PATCH', `/${id}`, 200, { disabled });
        },
        (id: number) => admin('DELETE', `/${id}/sessions`, 204),
        async (id: number) => {
          const { email } = await admin('GET', `/${id}`, 200);
          await admin('DELETE', `/${id}`, 204);
          await admin('POST', '', 201, { id, email });
        },
      ]) {
        const { id } = await newUser();
        const token = await tokenFor(id);
        await change(id);
        await refused(token);
      }
      const { id, email } = await newUser();
      const token = await tokenFor(id);
      const session = await tokenOf(email);
      await request({ method: 'DELETE', path: '/api/v1/session', headers: bearer(session) });
      t.equal((await request(resetRequest(token))).status, 204, 'neither a login nor a log-out voids it');
    });

    t.test('when it has expired', async (t) => {
      const { id } = await newUser();
      const { token, expires_at } = await admin('POST', `/${id}/password-resets`, 201, { expires_in: 1 });
      while (Date.now() < Date.parse(expires_at)) await wait(20);
      await refused(token);
      for (const expires_in of [0, 604_801, 1.5, '1'])
        t.match((await admin('POST', `/${id}/password-resets`, 400, { expires_in })).errors, [{ field: 'expires_in' }]);
    });

    t.test('when twenty use it at once', async (t) => {
      const { id } = await newUser();
      const token = await tokenFor(id);
      const replies = await Promise.all(Array.from({ length: AT_ONCE }, () => request(resetRequest(token))));
      t.same(countStatuses(replies), { 204: 1, 403: AT_ONCE - 1 });
    });

    t.test('when the user is locked out', async (t) => {
      const locked = await startApplication(t, provider, { env: { THROTTLE_EMAIL: '1' } });
      const id = await locked.create('foo@bar.com');
      for (const status of [401, 429]) t.equal((await locked.logIn('foo@bar.com', 'wrong')).status, status);
      const { token } = await locked.admin('POST', `/${id}/password-resets`, 201);
      t.equal((await locked.request(resetRequest(token))).status, 204);
      t.equal((await locked.logIn('foo@bar.com', NEW_PASSWORD)).status, 200);
    });

    t.test('when the pepper has changed since the password was set', async (t) => {
      const databaseUrl = await createDatabase(t, provider);
      const old = await startApplication(t, provider, { databaseUrl, env: { BCRYPT_PEPPER: 'old pepper' } });
      const id = await old.create('foo@bar.com');
      const env = { BCRYPT_PEPPER: 'new pepper', BCRYPT_PEPPER_PREVIOUS: 'old pepper' };
      const rotated = await startApplication(t, provider, { databaseUrl, env });
      const { token } = await rotated.admin('POST', `/${id}/password-resets`, 201);
      t.equal((await rotated.request(resetRequest(token))).status, 204);
      t.equal((await rotated.logIn('foo@bar.com', NEW_PASSWORD)).status, 200);
    });

    t.test('when the user is disabled, or unknown', async (t) => {
      const id = await create('disabled@bar.com', { disabled: true });
      t.equal((await admin('POST', `/${id}/password-resets`, 409)).code, 'user_disabled');
      t.equal((await admin('POST', '/4711/password-resets', 404)).code, 'user_not_found');
    });

    t.test('when fields are invalid', async (t) => {
      for (const [body, error] of [
        [{ password: PASSWORD }, { field: 'token', code: 'required' }],
        [{ token: 'pr_x' }, { field: 'password', code: 'required' }],
        [
          { token: 'pr_x', password: PASSWORD, email: 'a@b' },
          { field: 'email', code: 'unknown' },
        ],
      ] as const) {
        const reply = await request({ ...resetRequest(''), body: JSON.stringify(body) });
        t.equal(reply.status, 400);
        t.match(JSON.parse(reply.body).errors, [error]);
      }
    });
  });
}
