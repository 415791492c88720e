import t, { type Test } from 'tap';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { bearer, jwkSet, privateJwks } from '../support/keys.js';
import { createDatabase, type Service, type ServiceOptions, startService } from '../support/service.js';
import { getToken } from '../support/steady-logins.js';

const NOW = 1_575_397_455_999;
const session = { path: '/api/v1/session' };
const ownSessions = { path: '/api/v1/user/sessions' };
const keyed = { JWT_KEYS: jwkSet(privateJwks('ES256')) };
const BCRYPT = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
const invalid = { status: 401, headers: { 'www-authenticate': 'Bearer realm="user", error="invalid_token"' } };

const statusOf = async (service: Service, token: string) =>
  (await service.request({ ...session, headers: bearer(token) })).status;

/** Two instances on one database. */
async function startTwo(t: Test, provider: Provider, options: ServiceOptions = {}): Promise<[Service, Service]> {
  const databaseUrl = await createDatabase(t, provider);
  const env = { ...BCRYPT, ...options.env };
  const start = () => startService(t, provider, { ...options, databaseUrl, env });
  return [await start(), await start()];
}

for (const provider of PROVIDERS) {
  t.test(`logging out on ${provider}`, async (t) => {
    const [service, other] = await startTwo(t, provider, { now: () => NOW });
    await service.addUser('foo@bar.com', 'foobar');
    const token = await getToken(service.request);

    t.test('when the session has not ended', async (t) => {
      const reply = await service.documented(t.name, { method: 'DELETE', ...session, headers: bearer(token) });
      t.equal(reply.status, 204);
      t.equal(reply.body, '');
      t.equal(reply.headers['cache-control'], 'no-store');
      t.equal(reply.headers['content-length'], undefined);
      t.equal(await statusOf(other, token), 401, 'refused in the next request, on another instance');
    });

    t.test('when the session has ended already', async (t) => {
      const reply = await service.documented(t.name, { method: 'DELETE', ...session, headers: bearer(token) });
      t.match(reply, invalid);
    });

    t.test('another login in the same second has a session of its own', async (t) => {
      const [first, second] = [await getToken(service.request), await getToken(other.request)];
      await other.request({ method: 'DELETE', ...session, headers: bearer(first) });
      t.equal(await statusOf(service, first), 401);
      t.equal(await statusOf(service, second), 200);
    });

    t.test('log-outs at once with one token', async (t) => {
      const token = await getToken(service.request);
      const logOut = ({ request }: Service) => request({ method: 'DELETE', ...session, headers: bearer(token) });
      const replies = await Promise.all(Array.from({ length: 20 }, (_, index) => logOut(index % 2 ? service : other)));
      const statuses = replies.map(({ status }) => status);
      t.ok(statuses.includes(204));
      t.same(
        statuses.filter((status) => status !== 204 && status !== 401),
        [],
      );
    });
  });

  t.test(`logging out everywhere on ${provider}`, async (t) => {
    for (const env of [{}, keyed]) {
      // Another token than above: in the documentation that one has ended.
      let now = NOW + 60_000;
      const [service, other] = await startTwo(t, provider, { now: () => now, env });
      await service.addUser('foo@bar.com', 'foobar');
      await service.addUser('else@bar.com', 'foobar');
      const elses = await getToken(service.request, 'else@bar.com');
      const tokens = [await getToken(service.request)];
      now += 60_000;
      tokens.push(await getToken(other.request));
      const headers = bearer(tokens[0] ?? '');
      const request = { method: 'DELETE', ...ownSessions, headers };
      const reply = await (env === keyed
        ? service.request(request)
        : service.documented('when all sessions of the user are to end', request));
      t.equal(reply.status, 204);
      for (const token of tokens) for (const one of [service, other]) t.equal(await statusOf(one, token), 401);
      t.equal(await statusOf(other, elses), 200, 'of this user alone');
      t.match(await service.request({ method: 'DELETE', ...ownSessions, headers }), invalid);
      t.equal((await service.request({ method: 'DELETE', ...ownSessions })).status, 401);

      const again = await getToken(other.request);
      t.equal(await statusOf(service, again), 200, 'who logs in again, in the same second, is in');
      now -= 60_000;
      t.equal(await statusOf(service, tokens[1] ?? ''), 401, 'a clock that is set back revives nothing');
    }
  });

  t.test(`logging out everywhere else on ${provider}`, async (t) => {
    const [service, other] = await startTwo(t, provider);
    await service.addUser('foo@bar.com', 'foobar');
    const [current, another] = [await getToken(service.request), await getToken(other.request)];
    const path = `${ownSessions.path}?keep_current=true`;
    const request = { method: 'DELETE', path, headers: bearer(current) };
    const reply = await service.documented('when the other sessions of the user are to end', request);
    t.equal(reply.status, 204);
    t.equal(await statusOf(other, current), 200);
    t.equal(await statusOf(other, another), 401);
    const replies = await Promise.all([service, other, service, other].map((one) => one.request(request)));
    t.same(
      replies.map(({ status }) => status),
      [204, 204, 204, 204],
      'at once on two instances: it goes on',
    );
    t.equal(await statusOf(service, current), 200);

    for (const value of ['maybe', '', '1', 'true&keep_current=true']) {
      const bad = await service.request({ ...request, path: `${ownSessions.path}?keep_current=${value}` });
      t.equal(bad.status, 400, value);
      t.match(JSON.parse(bad.body), { code: 'invalid_request', errors: [{ field: 'keep_current' }] });
    }
    t.equal((await service.request({ ...request, path: `${ownSessions.path}?keep_current=false` })).status, 204);
    t.equal(await statusOf(service, current), 401);
  });
}

t.test('whatever a log-out brings is ignored', async (t) => {
  const [service] = await startTwo(t, 'sqlite', { env: keyed });
  await service.addUser('foo@bar.com', 'foobar');
  for (const [type, body] of [
    ['application/json', undefined],
    ['application/json', '{'],
    ['application/x-www-form-urlencoded', undefined],
    ['text/plain', 'text'],
    ['nonsense', undefined],
    [undefined, 'text'],
    ['application/json', 'x'.repeat(2_000_000)],
  ] as const) {
    const token = await getToken(service.request);
    const headers = { ...bearer(token), ...(type && { 'content-type': type }) };
    const reply = await service.request({ method: 'DELETE', ...session, headers, ...(body && { body }) });
    t.equal(reply.status, 204, `${type}: ${body?.length ?? 0} bytes`);
    t.equal(await statusOf(service, token), 401);
  }
});

t.test('tokens of keys', async (t) => {
  const [service, other] = await startTwo(t, 'sqlite', { now: () => NOW, env: keyed });
  await service.addUser('foo@bar.com', 'foobar');

  t.test('end one by one', async (t) => {
    const [one, another] = [await getToken(service.request), await getToken(service.request)];
    await service.request({ method: 'DELETE', ...session, headers: bearer(one) });
    t.equal(await statusOf(other, one), 401);
    t.equal(await statusOf(other, another), 200);
  });

  t.test('another spelling of a signature is the same token', async (t) => {
    const token = await getToken(service.request);
    // The last of 86 characters has four bits that nobody reads.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) ?? '');
    const respelled = token.slice(0, -1) + alphabet[last ^ 1];
    const before = await statusOf(service, respelled);
    await service.request({ method: 'DELETE', ...session, headers: bearer(token) });
    t.equal(await statusOf(service, respelled), 401, `it was ${before} before`);
  });
});
