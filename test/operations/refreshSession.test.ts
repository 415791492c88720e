import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { bearer, claimsOf } from '../support/keys.js';
import { FORM, JSON_TYPE, type Request } from '../support/send.js';
import { createDatabase, execute, query, type Service, startService } from '../support/service.js';
import { CHEAP, loginRequest } from '../support/steady-logins.js';

const NOW = 1_575_397_455_999;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LIFETIMES = { TOKEN_TTL_SECONDS: '300', REFRESH_TOKEN_TTL_SECONDS: '36000', SESSION_TTL_SECONDS: '86400' };
const refresh = { method: 'POST', path: '/api/v1/session/refresh' };

function renewal(refreshToken: string): Request {
  return { ...refresh, headers: FORM, body: new URLSearchParams({ refresh_token: refreshToken }).toString() };
}

/** Two instances with one user, on one database and one clock. */
async function startTwo(t: Test, provider: Provider) {
  const clock = { now: NOW };
  const databaseUrl = await createDatabase(t, provider);
  const start = () => startService(t, provider, { databaseUrl, now: () => clock.now, env: { ...CHEAP, ...LIFETIMES } });
  const [service, other] = [await start(), await start()];
  const id = await service.addUser('foo@bar.com', 'foobar');
  const logIn = async () => JSON.parse((await service.request(loginRequest())).body);
  const statusOf = async (token: string, one: Service = other) =>
    (await one.request({ path: '/api/v1/session', headers: bearer(token) })).status;
  const { databaseUrl: url } = readConfig({ DATABASE_URL: databaseUrl }, { issuesTokens: false });
  return { clock, service, other, id, logIn, statusOf, url };
}

const ENDED = { message: 'The session has ended', code: 'session_ended' };

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Session, renewed, on ${provider}`, async (t) => {
    const { clock, service, other, id, logIn, statusOf, url } = await startTwo(t, provider);
    const session = await logIn();
    t.same(Object.keys(session), ['auth_token', 'expires_in', 'refresh_token']);
    t.equal(session.expires_in, 300);
    clock.now += HOUR;
    t.equal(await statusOf(session.auth_token), 401, 'the token has expired');

    t.test('when the refresh token is good', async (t) => {
      const reply = await service.documented(t.name, renewal(session.refresh_token));
      t.equal(reply.status, 200);
      t.equal(reply.headers['cache-control'], 'no-store');
      const renewed = JSON.parse(reply.body);
      t.same(Object.keys(renewed), ['auth_token', 'expires_in', 'refresh_token']);
      t.not(renewed.refresh_token, session.refresh_token);
      t.equal(claimsOf(renewed.auth_token).sid, claimsOf(session.auth_token).sid, 'the same session');
      t.equal(claimsOf(renewed.auth_token).exp, Math.floor(clock.now / 1_000) + 300);
      t.equal(await statusOf(renewed.auth_token), 200);
      const [listed] = JSON.parse(
        (await other.request({ path: '/api/v1/user/sessions', headers: bearer(renewed.auth_token) })).body,
      ).sessions;
      t.match(listed, {
        created_at: new Date(NOW).toISOString(),
        last_used_at: new Date(clock.now).toISOString(),
        expires_at: new Date(clock.now + 10 * HOUR).toISOString(),
      });
    });

    t.test('when the refresh token is not good', async (t) => {
      const reply = await service.documented(t.name, renewal('rt_no-good-token'));
      t.equal(reply.status, 401);
      t.same(JSON.parse(reply.body), ENDED);
      t.equal(reply.headers['www-authenticate'], 'Bearer realm="user"');
      const forged = `${session.refresh_token.slice(0, -8)}AAAAAAAA`;
      for (const text of ['x', 'rt_', session.auth_token, 'rt_☃', forged])
        t.equal((await service.request(renewal(text))).status, 401, text);
    });

    t.test('when it is missing, or too long', async (t) => {
      for (const [request, message, code] of [
        [refresh, 'is required', 'required'],
        [{ ...refresh, headers: JSON_TYPE, body: '{}' }, 'is required', 'required'],
        [renewal(''), 'must not be empty', 'too_short'],
        [renewal('r'.repeat(1_025)), 'must have at most 1024 characters', 'too_long'],
      ] as const) {
        const reply = await service.request(request);
        t.equal(reply.status, 400);
        t.same(JSON.parse(reply.body).errors, [{ field: 'refresh_token', message, code }]);
      }
    });

    t.test('a refresh token is good until its successor has been used', async (t) => {
      const renew = async (one: Service, text: string) => {
        const { status, body } = await one.request(renewal(text));
        return status === 200 ? JSON.parse(body) : status;
      };
      const session = await logIn();
      clock.now += HOUR;
      const first = await renew(service, session.refresh_token);
      t.same(await renew(other, session.refresh_token), first, 'again at once: the same');
      clock.now += 8 * HOUR;
      const second = await renew(other, session.refresh_token);
      t.type(second, 'object', 'its reply was lost; the phone was asleep for eight hours');
      clock.now += HOUR;
      const third = await renew(service, second.refresh_token);
      t.type(third, 'object');
      clock.now += 2 * MINUTE;
      t.equal(await renew(other, session.refresh_token), 401, 'its successor has been used: who has it has stolen it');
      t.equal(await statusOf(third.auth_token), 401, 'so the session has ended');
      t.equal(await renew(service, third.refresh_token), 401);
    });

    t.test('a thief who is a step behind is caught by the user’s next renewal', async (t) => {
      const { refresh_token: stolen } = await logIn();
      clock.now += HOUR;
      const mine = JSON.parse((await service.request(renewal(stolen))).body);
      clock.now += HOUR;
      const his = JSON.parse((await other.request(renewal(stolen))).body);
      t.equal(await statusOf(his.auth_token), 200, 'not at once');
      t.equal((await service.request(renewal(mine.refresh_token))).status, 401);
      t.equal(await statusOf(his.auth_token), 401);
      t.equal((await other.request(renewal(his.refresh_token))).status, 401);
    });

    t.test('a hundred renewals at once with one refresh token', async (t) => {
      const { refresh_token } = await logIn();
      clock.now += HOUR;
      const replies = await Promise.all(
        Array.from({ length: 100 }, (_, index) => (index % 2 ? service : other).request(renewal(refresh_token))),
      );
      const successors = replies.map(({ status, body }) => (status === 200 ? JSON.parse(body) : status));
      clock.now += MINUTE;
      for (const { auth_token } of successors) t.equal(await statusOf(auth_token), 200);
      const again = await Promise.all(
        successors.map((successor, index) => (index % 2 ? service : other).request(renewal(successor.refresh_token))),
      );
      t.same(new Set(again.map(({ status }) => status)), new Set([200]), 'all successors are good');
    });

    t.test('what ends a session ends its renewal', async (t) => {
      const ended: [what: string, end: (token: string) => Promise<unknown>][] = [
        [
          'a log-out',
          (token) => service.request({ method: 'DELETE', path: '/api/v1/session', headers: bearer(token) }),
        ],
        [
          'a log-out everywhere',
          (token) => service.request({ method: 'DELETE', path: '/api/v1/user/sessions', headers: bearer(token) }),
        ],
        [
          'ten hours without a renewal',
          async () => {
            clock.now += 10 * HOUR;
          },
        ],
        ['a disabled user, by an instance that knows no sessions', () => service.disableUser(id)],
      ];
      for (const [what, end] of ended) {
        const { auth_token, refresh_token } = await logIn();
        await end(auth_token);
        const { status, body } = await other.request(renewal(refresh_token));
        t.equal(status, 401, what);
        t.same(JSON.parse(body), ENDED);
      }
      await execute(url, 'UPDATE users SET disabled_at = NULL');

      let { refresh_token } = await logIn();
      for (let hours = 0; hours < 24; hours += 8) {
        clock.now += 7.99 * HOUR;
        const reply = await service.request(renewal(refresh_token));
        t.equal(reply.status, 200, `after ${hours + 8} hours`);
        const renewed = JSON.parse(reply.body);
        if (hours === 16) t.ok(renewed.expires_in <= 108, 'no token outlives its session');
        refresh_token = renewed.refresh_token;
      }
      clock.now += 0.1 * HOUR;
      t.equal(
        (await service.request(renewal(refresh_token))).status,
        401,
        'after a day it ends, however often renewed',
      );
    });

    t.test('a renewal that the database has lost', async (t) => {
      await execute(url, 'DELETE FROM sessions');
      const { refresh_token } = await logIn();
      clock.now += HOUR;
      const renewed = JSON.parse((await service.request(renewal(refresh_token))).body);
      await execute(url, 'UPDATE sessions SET generation = 1, parent = 0, last_used_at = 0');
      clock.now += HOUR;
      t.equal((await other.request(renewal(renewed.refresh_token))).status, 200, 'at a failover: nobody is logged out');
      t.equal((await query(url, 'SELECT generation FROM sessions'))[0]?.[0], 3);
    });
  });

  t.test(`without renewal, or without remember, on ${provider}`, async (t) => {
    const service = await startService(t, provider, { env: { ...CHEAP, ...LIFETIMES, REFRESH_TOKEN_TTL_SECONDS: '' } });
    await service.addUser('foo@bar.com', 'foobar');
    const login = JSON.parse((await service.request(loginRequest())).body);
    t.same(Object.keys(login), ['auth_token']);
    const off = await service.documented('when renewal is off', renewal('rt_any-token'));
    t.equal(off.status, 404);
    t.match(JSON.parse(off.body), { code: 'not_found' });

    const renewing = await startService(t, provider, { env: { ...CHEAP, ...LIFETIMES } });
    await renewing.addUser('foo@bar.com', 'foobar');
    for (const [headers, body] of [
      [FORM, 'email=foo%40bar.com&password=foobar&remember=false'],
      [JSON_TYPE, JSON.stringify({ email: 'foo@bar.com', password: 'foobar', remember: false })],
    ] as const) {
      const reply = await renewing.request({ method: 'POST', path: '/api/v1/sessions', headers, body });
      t.same(Object.keys(JSON.parse(reply.body)), ['auth_token']);
    }
    const body = JSON.stringify({ email: 'foo@bar.com', password: 'foobar', remember: true });
    const reply = await renewing.request({ method: 'POST', path: '/api/v1/sessions', headers: JSON_TYPE, body });
    t.same(Object.keys(JSON.parse(reply.body)), ['auth_token', 'expires_in', 'refresh_token']);
  });
}
