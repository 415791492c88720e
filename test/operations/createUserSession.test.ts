import { randomUUID } from 'node:crypto';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { adminRequest, startApplication } from '../support/application.js';
import { bearer, claimsOf } from '../support/keys.js';

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Users::Sessions on ${provider}`, async (t) => {
    const env = { REFRESH_TOKEN_TTL_SECONDS: '86400', TOKEN_TTL_SECONDS: '300' };
    const { admin, create, documented, request, tokenOf } = await startApplication(t, provider, { env });
    const id = await create('foo@bar.com');
    const statusOf = async (token: string) =>
      (await request({ path: '/api/v1/session', headers: bearer(token) })).status;
    const start = async (body?: object): Promise<string> =>
      (await admin('POST', `/${id}/sessions`, 201, body)).auth_token;

    t.test('when the application has verified the user', async (t) => {
      const body = { client_address: '203.0.113.7', user_agent: 'Mozilla/5.0' };
      const reply = await documented(t.name, adminRequest('POST', `/${id}/sessions`, body));
      t.equal(reply.status, 201);
      const { auth_token, refresh_token } = JSON.parse(reply.body);
      t.equal(await statusOf(auth_token), 200);
      t.match(refresh_token, /^rt_/);
      const { sid } = claimsOf(auth_token);
      const { sessions } = await admin('GET', `/${id}/sessions`, 200);
      t.match(sessions, [{ id: sid, current: false, address: '203.0.113.7', user_agent: 'Mozilla/5.0' }]);
    });

    t.test('stores the address in its shortest form', async (t) => {
      for (const [given, address] of [
        ['::FFFF:1.2.3.4', '1.2.3.4'],
        ['2001:DB8:0:0::01', '2001:db8::1'],
      ]) {
        await start({ client_address: given });
        t.match((await admin('GET', `/${id}/sessions`, 200)).sessions[0], { address });
      }
    });

    t.test('when there is no body', async (t) => {
      const token = await start();
      t.equal(await statusOf(token), 200);
      t.match((await admin('GET', `/${id}/sessions`, 200)).sessions[0], {
        address: '127.0.0.1',
        user_agent: undefined,
      });
      t.notOk('refresh_token' in (await admin('POST', `/${id}/sessions`, 201, { remember: false })));
      const typed = adminRequest('POST', `/${id}/sessions`);
      const headers = { ...typed.headers, 'content-type': 'application/json' };
      t.equal((await request({ ...typed, headers })).status, 201, 'of the type that would be its');
    });

    t.test('when a member is invalid', async (t) => {
      for (const [body, error] of [
        [{ client_address: 'unix:' }, { field: 'client_address', code: 'malformed' }],
        [{ user_agent: 'x'.repeat(256) }, { field: 'user_agent', code: 'too_long' }],
        [{ device: 'phone' }, { field: 'device', code: 'unknown' }],
      ] as const)
        t.match((await admin('POST', `/${id}/sessions`, 400, body)).errors, [error]);
      t.match((await admin('POST', `/${id}/sessions`, 422, { client_address: '1.2.3.4.5' })).errors, [
        { field: 'client_address', code: 'malformed' },
      ]);
    });

    t.test('when the user is disabled, or unknown', async (t) => {
      const disabled = await create('disabled@bar.com', { disabled: true });
      t.equal((await admin('POST', `/${disabled}/sessions`, 409)).code, 'user_disabled');
      for (const method of ['POST', 'GET', 'DELETE'])
        t.equal((await admin(method, '/4711/sessions', 404)).code, 'user_not_found', method);
      t.equal((await admin('DELETE', `/4711/sessions/${randomUUID()}`, 404)).code, 'user_not_found');
    });

    t.test('when one session is to end', async (t) => {
      const [ended, other] = [await start(), await start()];
      const reply = await documented(t.name, adminRequest('DELETE', `/${id}/sessions/${claimsOf(ended).sid}`));
      t.equal(reply.status, 204);
      t.same([await statusOf(ended), await statusOf(other)], [401, 200]);
      t.equal((await admin('DELETE', `/${id}/sessions/${claimsOf(ended).sid}`, 404)).code, 'session_not_found');
      const elses = await create('else@bar.com');
      t.equal((await admin('DELETE', `/${elses}/sessions/${claimsOf(other).sid}`, 404)).code, 'session_not_found');
      t.equal(await statusOf(other), 200);
      t.match((await admin('DELETE', `/${id}/sessions/1`, 400)).errors, [{ field: 'sid', code: 'malformed' }]);
    });

    t.test('when all sessions are to end', async (t) => {
      const [first, second] = [await start(), await tokenOf('foo@bar.com')];
      const reply = await documented(t.name, adminRequest('DELETE', `/${id}/sessions`));
      t.equal(reply.status, 204);
      t.same([await statusOf(first), await statusOf(second)], [401, 401]);
      t.same(await admin('GET', `/${id}/sessions`, 200), { sessions: [] });
      t.equal(await statusOf(await tokenOf('foo@bar.com')), 200, 'the user may log in again');
    });
  });
}
