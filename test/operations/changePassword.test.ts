import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { countStatuses, PASSWORD, startApplication } from '../support/application.js';
import { bearer } from '../support/keys.js';
import { JSON_TYPE } from '../support/send.js';

const NEW_PASSWORD = 'battery staple horse';
const change = { current_password: PASSWORD, password: NEW_PASSWORD };

for (const provider of PROVIDERS) {
  t.test(`Api::V1::User::Password on ${provider}`, async (t) => {
    const { admin, create, documented, logIn, post, request, tokenOf } = await startApplication(t, provider);
    await create('foo@bar.com');
    const statusOf = async (token: string) =>
      (await request({ path: '/api/v1/session', headers: bearer(token) })).status;

    t.test('when the current password is right', async (t) => {
      const [token, other] = [await tokenOf('foo@bar.com'), await tokenOf('foo@bar.com')];
      const headers = { ...JSON_TYPE, ...bearer(token) };
      const body = JSON.stringify(change);
      const reply = await documented(t.name, { method: 'POST', path: '/api/v1/user/password', headers, body });
      t.equal(reply.status, 200);
      t.equal(reply.headers['cache-control'], 'no-store');
      t.same([await statusOf(token), await statusOf(other)], [401, 401], 'all others have ended');
      t.equal(await statusOf(JSON.parse(reply.body).auth_token), 200);
      t.equal((await logIn('foo@bar.com')).status, 401);
      t.equal((await logIn('foo@bar.com', NEW_PASSWORD)).status, 200);
    });

    t.test('when the current password is wrong', async (t) => {
      await create('wrong@bar.com');
      const token = await tokenOf('wrong@bar.com');
      const reply = await post('/password', { ...change, current_password: 'wrong' }, token);
      t.equal(reply.status, 403);
      t.match(JSON.parse(reply.body), { code: 'wrong_password', errors: [{ field: 'current_password' }] });
      t.equal(await statusOf(token), 200, 'nothing has changed');
      t.equal((await logIn('wrong@bar.com')).status, 200);
    });

    t.test('when the new password is weak', async (t) => {
      await create('weak@bar.com');
      const token = await tokenOf('weak@bar.com');
      const reply = await post('/password', { ...change, password: 'Weak@bar.com' }, token);
      t.equal(reply.status, 422);
      t.match(JSON.parse(reply.body), { code: 'weak_password', errors: [{ code: 'password_is_email' }] });
      t.equal(await statusOf(token), 200);
    });

    t.test('when the user has no password', async (t) => {
      const { id } = await admin('POST', '', 201, { email: 'social@bar.com' });
      const { auth_token } = await admin('POST', `/${id}/sessions`, 201);
      const reply = await post('/password', change, auth_token);
      t.equal(reply.status, 409);
      t.equal(JSON.parse(reply.body).code, 'no_password');
    });

    t.test('when the session is not to be renewed', async (t) => {
      const renewing = await startApplication(t, provider, { env: { REFRESH_TOKEN_TTL_SECONDS: '86400' } });
      for (const [email, remember] of [
        ['own@bar.com', true],
        ['shared@bar.com', false],
      ] as const) {
        await renewing.create(email);
        const body = JSON.stringify({ email, password: PASSWORD, remember });
        const login = await renewing.request({ method: 'POST', path: '/api/v1/sessions', headers: JSON_TYPE, body });
        const reply = await renewing.post('/password', change, JSON.parse(login.body).auth_token);
        t.equal('refresh_token' in JSON.parse(reply.body), remember, 'the new one is as the old one was');
      }
    });

    t.test('when it is asked for twice at once', async (t) => {
      await create('twice@bar.com');
      const token = await tokenOf('twice@bar.com');
      const replies = await Promise.all([1, 2, 3].map(() => post('/password', change, token)));
      const { 200: changed, ...refused } = countStatuses(replies);
      t.equal(changed, 1);
      t.same(
        Object.keys(refused).filter((status) => !['401', '403'].includes(status)),
        [],
        'the others find that the session has ended, or the password has changed',
      );
    });

    t.test('when the token is not good, or fields are invalid', async (t) => {
      t.equal((await post('/password', change)).status, 401);
      t.equal((await post('/password', change, 'x')).status, 401);
      await create('fields@bar.com');
      const token = await tokenOf('fields@bar.com');
      for (const [body, error] of [
        [{ password: PASSWORD }, { field: 'current_password', code: 'required' }],
        [{ current_password: PASSWORD }, { field: 'password', code: 'required' }],
        [
          { ...change, user_id: 1 },
          { field: 'user_id', code: 'unknown' },
        ],
      ] as const) {
        const reply = await post('/password', body, token);
        t.equal(reply.status, 400);
        t.match(JSON.parse(reply.body).errors, [error]);
      }
    });
  });

  t.test(`a wrong current password counts as a failed login, on ${provider}`, async (t) => {
    const { create, logIn, post, tokenOf } = await startApplication(t, provider, {
      env: { THROTTLE_EMAIL_ADDRESS: '2' },
    });
    await create('foo@bar.com');
    const token = await tokenOf('foo@bar.com');
    const guess = { ...change, current_password: 'wrong' };
    for (const status of [403, 403, 429]) t.equal((await post('/password', guess, token)).status, status);
    t.equal((await logIn('foo@bar.com')).status, 429);
  });
}
