import { EventEmitter, once } from 'node:events';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { disable, enable, setPassword } from '#built/users/change.js';
import { bearer, jwkSet, privateJwks } from '../support/keys.js';
import { FORM, type Request, send } from '../support/send.js';
import { createDatabase, execute, type Service, startService, UNTHROTTLED } from '../support/service.js';

const CHEAP = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', ...UNTHROTTLED };
const LIFETIMES = ['60', '86400', '604800'];
const RUNS = 15;

const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });
const PASSWORDS = ['foobar', 'barfoo'] as const;
const digests = await Promise.all(PASSWORDS.map((password) => bcrypt.hash(password)));

/** What may happen to the user, or to the service. The number chooses a token, a password or a lifetime. */
const step = fc.tuple(
  fc.constantFrom(
    'logIn',
    'logIn',
    'logIn',
    'logOut',
    'logOutEverywhere',
    'changePassword',
    'disableAndEnable',
    'deleteAndCreateAnew',
    'restart',
    'letTimePass',
    'setClockBack',
  ),
  fc.nat(20),
);

/** A service with one user, and what must be true of each token that it has issued. */
async function startWorld(t: Test, provider: Provider, env: NodeJS.ProcessEnv) {
  const databaseUrl = await createDatabase(t, provider);
  const config = readConfig({ DATABASE_URL: databaseUrl }, { issuesTokens: false });
  const clock = { now: 1_575_397_455_999, latest: 1_575_397_455_999 };
  let password = 0;
  /** Whether a token is revoked. */
  const tokens = new Map<string, boolean>();
  const startWith = (lifetime: number): Promise<Service> => {
    const TOKEN_TTL_SECONDS = LIFETIMES[lifetime % LIFETIMES.length];
    return startService(t, provider, {
      databaseUrl,
      now: () => clock.now,
      env: { ...CHEAP, ...env, TOKEN_TTL_SECONDS },
    });
  };
  let service = await startWith(1);
  const database = await openDatabase(config.databaseUrl, { now: () => clock.now });
  t.teardown(() => database.close());
  const id = (await database.users.add('foo@bar.com', digests[0] ?? (await bcrypt.hash('foobar')))) ?? 0;

  const ask = (request: Request) => send(service.url, request);
  const expOf = (token: string): number =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).exp;
  const isGood = (token: string) => tokens.get(token) === false && expOf(token) * 1000 > clock.now;
  const goodToken = (choice: number): string | undefined => {
    const good = [...tokens.keys()].filter(isGood);
    return good[choice % good.length];
  };
  const revokeAll = () => {
    for (const token of tokens.keys()) tokens.set(token, true);
  };

  return {
    async check(): Promise<string[]> {
      const faults: string[] = [];
      for (const token of tokens.keys()) {
        const { status } = await ask({ path: '/api/v1/session', headers: bearer(token) });
        const expected = isGood(token) ? 200 : 401;
        if (status !== expected) faults.push(`${status} and not ${expected} for ${token}`);
      }
      return faults;
    },
    async logIn() {
      const body = new URLSearchParams({ email: 'foo@bar.com', password: PASSWORDS[password] ?? '' }).toString();
      const reply = await ask({ method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
      const token: string = JSON.parse(reply.body).auth_token;
      if (tokens.get(token)) throw new Error('a login got a dead token');
      tokens.set(token, false);
    },
    async logOut(choice: number) {
      const token = goodToken(choice);
      if (token === undefined) return;
      const { status } = await ask({ method: 'DELETE', path: '/api/v1/session', headers: bearer(token) });
      if (status !== 204) throw new Error(`logging out was answered with ${status}`);
      tokens.set(token, true);
    },
    async logOutEverywhere(choice: number) {
      const token = goodToken(choice);
      if (token === undefined) return;
      const { status } = await ask({ method: 'DELETE', path: '/api/v1/user/sessions', headers: bearer(token) });
      if (status !== 204) throw new Error(`logging out everywhere was answered with ${status}`);
      revokeAll();
    },
    async changePassword() {
      password = 1 - password;
      const digest = digests[password];
      if (digest) await setPassword(database.users, { id }, digest);
      revokeAll();
    },
    async disableAndEnable() {
      const disabledAt = new Date(clock.now);
      await disable(database.users, { id, disabledAt: null }, disabledAt);
      await enable(database.users, { id, disabledAt });
      revokeAll();
    },
    async deleteAndCreateAnew() {
      await database.users.delete(id);
      await execute(
        config.databaseUrl,
        `INSERT INTO users (id, email, password_digest, updated_at)
          VALUES (${id}, 'foo@bar.com', '${digests[password]?.passwordDigest}', CURRENT_TIMESTAMP)`,
      );
      revokeAll();
    },
    async restart(choice: number) {
      service = await startWith(choice);
    },
    async letTimePass(choice: number) {
      clock.now += choice * 500;
      clock.latest = Math.max(clock.latest, clock.now);
    },
    /** By a minute in all: more is not tolerated. */
    async setClockBack() {
      clock.now = clock.latest - 60_000;
    },
  };
}

for (const [form, env] of Object.entries({
  'of the seed’s form': {},
  'of keys': { JWT_KEYS: jwkSet(privateJwks('EdDSA')) },
})) {
  t.test(`no revoked token ${form} is ever good, and no later one is refused`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const world = await startWorld(t, 'sqlite', env);
        for (const [name, choice] of steps) {
          await world[name](choice);
          const faults = await world.check();
          if (faults.length > 0) throw new Error(`after ${name}: ${faults.join('; ')}`);
        }
      }),
      { numRuns: RUNS, endOnFailure: false },
    );
    t.pass(`${RUNS} sequences`);
  });
}

for (const provider of PROVIDERS) {
  t.test(`a login in flight while all sessions are ended on ${provider}`, async (t) => {
    const databaseUrl = await createDatabase(t, provider);
    const { databaseUrl: url } = readConfig({ DATABASE_URL: databaseUrl }, { issuesTokens: false });
    const hash = new EventEmitter();
    const [begun, ended] = [once(hash, 'begin'), once(hash, 'end')];
    const passwords = {
      ...bcrypt,
      verify: async (...args: Parameters<typeof bcrypt.verify>) => {
        hash.emit('begin');
        await ended;
        return bcrypt.verify(...args);
      },
    };
    const service = await startService(t, provider, { databaseUrl, env: CHEAP, passwords });
    const id = await service.addUser('foo@bar.com', 'foobar');
    const body = 'email=foo%40bar.com&password=foobar';
    const login = send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
    await begun;
    const database = await openDatabase(url);
    t.teardown(() => database.close());
    await database.revocations.endSessions(id);
    hash.emit('end');
    const { auth_token: token } = JSON.parse((await login).body);
    const { status } = await send(service.url, { path: '/api/v1/session', headers: bearer(token) });
    t.equal(status, 401);
  });
}
