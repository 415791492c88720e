import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { bearer, claimsOf, jwkSet, privateJwks } from '../support/keys.js';
import { createDatabase, execute, startService } from '../support/service.js';
import { getToken } from '../support/steady-logins.js';

const NOW = 1_575_397_455_999;
const session = { path: '/api/v1/session' };
const JWT_KEYS = jwkSet(privateJwks('ES256'));

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Session on ${provider}`, async (t) => {
    let now = NOW;
    const service = await startService(t, provider, { now: () => now });
    const id = await service.addUser('foo@bar.com', 'foobar');
    const token = await getToken(service.request);

    t.test('when the token is good', async (t) => {
      const reply = await service.documented(t.name, { ...session, headers: bearer(token) });
      t.equal(reply.status, 200);
      t.equal(reply.body, `{"user_id":${id},"exp":${1_575_397_455 + 86_400},"sid":"${claimsOf(token).sid}"}`);
      t.equal(reply.headers['cache-control'], 'no-store');
      t.equal((await service.request({ ...session, method: 'HEAD', headers: bearer(token) })).status, 200);
      const lowerCase = { authorization: `bearer ${token}` };
      t.equal((await service.request({ ...session, headers: lowerCase })).status, 200);
    });

    t.test('when there is no token', async (t) => {
      const reply = await service.documented(t.name, session);
      t.equal(reply.status, 401);
      t.equal(reply.headers['www-authenticate'], 'Bearer realm="user"');
      t.equal(reply.headers['cache-control'], 'no-store');
      const basic = { authorization: 'Basic Zm9vOmJhcg==' };
      const other = await service.request({ ...session, headers: basic });
      t.equal(other.headers['www-authenticate'], 'Bearer realm="user"', 'another scheme is no token');
    });

    t.test('when the token is not good', async (t) => {
      const reply = await service.documented(t.name, { ...session, headers: bearer('no.good.token') });
      t.equal(reply.status, 401);
      t.equal(reply.headers['www-authenticate'], 'Bearer realm="user", error="invalid_token"');
      for (const authorization of ['Bearer', 'Bearer ', `Bearer  ${token}`, `Bearer ${token} ${token}`]) {
        t.equal((await service.request({ ...session, headers: { authorization } })).status, 401);
      }
    });

    t.test('when the token has expired', async (t) => {
      now = NOW + 86_400_000 - 1_000;
      t.equal((await service.request({ ...session, headers: bearer(token) })).status, 200, 'in its last second');
      now = NOW + 86_400_000;
      const reply = await service.request({ ...session, headers: bearer(token) });
      t.equal(reply.status, 401);
      t.equal(reply.headers['www-authenticate'], 'Bearer realm="user", error="invalid_token"');
      now = NOW;
    });

    t.test('when the user is disabled, or deleted', async (t) => {
      const goneId = await service.addUser('gone@bar.com', 'foobar');
      const headers = bearer(await getToken(service.request, 'gone@bar.com'));
      t.equal((await service.request({ ...session, headers })).status, 200);
      await service.disableUser(goneId);
      const disabled = await service.request({ ...session, headers });
      await service.deleteUser(goneId);
      const deleted = await service.request({ ...session, headers });
      for (const { status, headers } of [disabled, deleted]) {
        t.equal(status, 401);
        t.equal(headers['www-authenticate'], 'Bearer realm="user", error="invalid_token"');
      }
    });
  });

  t.test(`a bad signature costs no query on ${provider}`, async (t) => {
    const DATABASE_URL = await createDatabase(t, provider);
    const service = await startService(t, provider, { databaseUrl: DATABASE_URL, env: { JWT_KEYS } });
    await service.addUser('foo@bar.com', 'foobar');
    const token = await getToken(service.request);
    const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
    await execute(databaseUrl, 'ALTER TABLE users RENAME TO moved');
    t.equal(
      (await service.request({ ...session, headers: bearer(token) })).status,
      503,
      'a good one needs the database',
    );
    t.equal((await service.request({ ...session, headers: bearer(`${token.slice(0, -8)}AAAAAAAA`) })).status, 401);
    await execute(databaseUrl, 'ALTER TABLE moved RENAME TO users');
    t.equal((await service.request({ ...session, headers: bearer(token) })).status, 200, 'and is back');
  });

  t.test(`a lifetime that was longer before, on ${provider}`, async (t) => {
    const databaseUrl = await createDatabase(t, provider);
    const hour = 3_600;
    const startWith = (ttl: number) =>
      startService(t, provider, { databaseUrl, now: () => NOW, env: { TOKEN_TTL_SECONDS: String(ttl) } });
    const before = await startWith(100 * hour);
    await before.addUser('foo@bar.com', 'foobar');
    const token = await getToken(before.request);
    const after = await startWith(hour);
    t.equal((await after.request({ ...session, headers: bearer(token) })).status, 200, 'tokens of before stay good');
  });
}
