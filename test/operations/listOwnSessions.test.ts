import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { bearer, claimsOf } from '../support/keys.js';
import { tokenOf } from '../support/rails-token.js';
import { startService, UNTHROTTLED } from '../support/service.js';
import { CHEAP, getToken, loginRequest } from '../support/steady-logins.js';

const NOW = 1_575_397_455_999;
const ownSessions = { path: '/api/v1/user/sessions' };

for (const provider of PROVIDERS) {
  t.test(`Api::V1::User::Sessions on ${provider}`, async (t) => {
    let now = NOW;
    const env = { ...CHEAP, ...UNTHROTTLED, TOKEN_TTL_SECONDS: '300' };
    const service = await startService(t, provider, { env, now: () => now });
    await service.addUser('foo@bar.com', 'foobar');
    await service.addUser('else@bar.com', 'foobar');
    await getToken(service.request, 'else@bar.com');
    const login = loginRequest();
    const headers = { ...login.headers, 'user-agent': `curl/8.15.0 ${'x'.repeat(300)}` };
    const first = JSON.parse((await service.request({ ...login, headers })).body).auth_token;
    now += 1_000;
    const second = await getToken(service.request);
    const list = async (token: string) => {
      const reply = await service.request({ ...ownSessions, headers: bearer(token) });
      t.equal(reply.status, 200);
      return JSON.parse(reply.body).sessions;
    };

    t.test('when the token is good', async (t) => {
      const reply = await service.documented(t.name, { ...ownSessions, headers: bearer(second) });
      t.equal(reply.headers['cache-control'], 'no-store');
      const [newest, oldest, ...more] = JSON.parse(reply.body).sessions;
      t.same(more, [], 'of this user alone');
      t.same(newest, {
        id: claimsOf(second).sid,
        current: true,
        created_at: new Date(NOW + 1_000).toISOString(),
        last_used_at: new Date(NOW + 1_000).toISOString(),
        expires_at: new Date(1_000 * claimsOf(second).exp).toISOString(),
        address: '127.0.0.1',
      });
      t.match(oldest, { id: claimsOf(first).sid, current: false, created_at: new Date(NOW).toISOString() });
      t.equal(oldest.user_agent, headers['user-agent'].slice(0, 255));
    });

    t.test('when there is no token', async (t) => {
      t.equal((await service.request(ownSessions)).status, 401);
    });

    t.test('when a session has ended, or has expired', async (t) => {
      await service.request({ method: 'DELETE', path: '/api/v1/session', headers: bearer(first) });
      t.same((await list(second)).length, 1);
      now += 200_000;
      const third = await getToken(service.request);
      t.same((await list(third)).length, 2);
      now += 100_000;
      t.same(
        (await list(third)).map(({ id }: { id: string }) => id),
        [claimsOf(third).sid],
      );
      await service.request({ method: 'DELETE', ...ownSessions, headers: bearer(third) });
      const fourth = await getToken(service.request);
      t.same((await list(fourth)).length, 1, 'all others were ended');
    });

    t.test('when there are more than a hundred', async (t) => {
      now += 1_000_000;
      for (let count = 0; count < 101; count += 1) {
        now += 1;
        await getToken(service.request);
      }
      now += 1;
      const newest = await getToken(service.request);
      const listed = await list(newest);
      t.equal(listed.length, 100);
      t.equal(listed[0].id, claimsOf(newest).sid);
    });
  });
}

t.test('when the token names no session', async (t) => {
  const service = await startService(t, 'sqlite', { env: CHEAP });
  await service.addUser('foo@bar.com', 'foobar');
  t.equal((await service.request({ ...ownSessions, headers: bearer(tokenOf(1)) })).status, 401, 'it is not good');
});
