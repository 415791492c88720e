import fc from 'fast-check';
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { updateUser } from '#built/users/update-user.js';
import { bearer, claimsOf, jwkSet, privateJwks } from '../support/keys.js';
import { tokenOf } from '../support/rails-token.js';
import { JSON_TYPE, type Request, send } from '../support/send.js';
import { createDatabase, type Service, startService, UNTHROTTLED } from '../support/service.js';

const CHEAP = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', ...UNTHROTTLED };
/** Seconds: of tokens, refresh tokens and sessions. */
const LIFETIMES = [
  { token: 60, refresh: 600, session: 3_600 },
  { token: 300, refresh: 86_400, session: 604_800 },
  { token: 86_400, refresh: undefined, session: 7_776_000 },
] as const;
/** Milliseconds that the clocks of the two instances may differ by, and be set back. */
const SKEW = 60_000;
const RUNS: { [provider in Provider]: number } = { sqlite: 12, postgresql: 4 };

const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });
const PASSWORDS = ['foobar', 'barfoo'] as const;
const digests = await Promise.all(PASSWORDS.map((password) => bcrypt.hash(password)));

/** What may happen to the user, or to the service. The number chooses an instance, a session, a password or lifetimes. */
const step = fc.tuple(
  fc.constantFrom(
    'logIn',
    'logIn',
    'logIn',
    'renew',
    'renew',
    'renewAgain',
    'renewWithOldToken',
    'logOut',
    'endOne',
    'endOthers',
    'logOutEverywhere',
    'changePassword',
    'disableAndEnable',
    'deleteAndCreateAnew',
    'restart',
    'letTimePass',
    'setClockBack',
  ),
  fc.nat(1_000),
);

/** A session as the test knows it. Times are in milliseconds since the epoch. */
type Known = {
  isEnded: boolean;
  createdAt: number;
  expiresAt: number;
  tokens: { token: string; issuedAt: number; ttl: number }[];
  /** Undefined where the session can't be renewed. */
  refresh: { current: string; parent: string | undefined; old: string[] } | undefined;
};

/** Two instances with one user, and what must be true of each token that they have issued. */
async function startWorld(t: Test, provider: Provider, env: NodeJS.ProcessEnv) {
  const databaseUrl = await createDatabase(t, provider);
  const config = readConfig({ DATABASE_URL: databaseUrl }, { issuesTokens: false });
  const clock = { now: 1_575_397_455_999, latest: 1_575_397_455_999 };
  const nowOf = (instance: number) => clock.now - instance * SKEW;
  const known: Known[] = [];
  let lifetimes: (typeof LIFETIMES)[number] = LIFETIMES[0];
  let password = 0;

  const startOne = (instance: number): Promise<Service> =>
    startService(t, provider, {
      databaseUrl,
      now: () => nowOf(instance),
      env: {
        ...CHEAP,
        ...env,
        TOKEN_TTL_SECONDS: String(lifetimes.token),
        REFRESH_TOKEN_TTL_SECONDS: String(lifetimes.refresh ?? ''),
        SESSION_TTL_SECONDS: String(lifetimes.session),
      },
    });
  let services = [await startOne(0), await startOne(1)];
  const database = await openDatabase(config.databaseUrl);
  t.teardown(() => database.close());
  const id = (await database.users.add('foo@bar.com', digests[0] ?? (await bcrypt.hash('foobar')))).id;

  const ask = (instance: number, request: Request) => send(services[instance]?.url ?? '', request);
  const isGood = (session: Known, token: string, instance: number) =>
    !session.isEnded && claimsOf(token).exp * 1_000 > nowOf(instance);
  /** A session with a token that is good on an instance. */
  const choose = (choice: number, instance: number) => {
    const good = known.flatMap((session) =>
      session.tokens.filter(({ token }) => isGood(session, token, instance)).map(({ token }) => ({ session, token })),
    );
    return good[choice % good.length];
  };
  const endAll = (but?: Known) => {
    for (const session of known) if (session !== but) session.isEnded = true;
  };
  const expect = (what: string, status: number, expected: number) => {
    if (status !== expected) throw new Error(`${what} was answered with ${status}, not ${expected}`);
  };
  const keep = (session: Known, body: { auth_token: string; refresh_token?: string }, at: number) => {
    session.tokens.push({ token: body.auth_token, issuedAt: at, ttl: lifetimes.token });
    return body.refresh_token;
  };

  /** Presents a refresh token when it is no retry of the last minute. */
  async function present(session: Known, text: string, isOld: boolean, instance: number) {
    clock.now += 61_000 + SKEW;
    clock.latest = Math.max(clock.latest, clock.now);
    const at = nowOf(instance);
    const body = JSON.stringify({ refresh_token: text });
    const reply = await ask(instance, { method: 'POST', path: '/api/v1/session/refresh', headers: JSON_TYPE, body });
    if (lifetimes.refresh === undefined) return expect('a renewal', reply.status, 404);
    if (isOld) {
      expect('a renewal with an old token', reply.status, 401);
      session.isEnded = true;
      return;
    }
    const end = session.createdAt + 1_000 * lifetimes.session;
    const isOver = session.isEnded || at >= session.expiresAt || at >= end;
    expect('a renewal', reply.status, isOver ? 401 : 200);
    if (isOver) return;
    const next = keep(session, JSON.parse(reply.body), at) ?? '';
    const { refresh } = session;
    session.expiresAt = Math.max(session.expiresAt, Math.min(at + 1_000 * lifetimes.refresh, end));
    if (!refresh || next === refresh.current) return;
    const old = [refresh.parent, refresh.current].flatMap((token) => (token && token !== text ? [token] : []));
    session.refresh = { current: next, parent: text, old: [...refresh.old, ...old] };
  }
  const renewable = (choice: number, has: (refresh: NonNullable<Known['refresh']>) => string | undefined) => {
    const sessions = known.filter(({ refresh }) => refresh && has(refresh));
    const session = sessions[choice % sessions.length];
    const text = session?.refresh && has(session.refresh);
    return session && text ? { session, text } : undefined;
  };

  async function renewCurrent(choice: number): Promise<void> {
    const chosen = renewable(choice, ({ current }) => current);
    if (chosen) await present(chosen.session, chosen.text, false, choice % 2);
  }

  return {
    async check(): Promise<string[]> {
      const faults: string[] = [];
      for (const session of known) {
        for (const { token, issuedAt, ttl } of session.tokens) {
          if (claimsOf(token).exp * 1_000 > issuedAt + ttl * 1_000) faults.push(`it lives too long: ${token}`);
          for (const instance of services.keys()) {
            const { status } = await ask(instance, { path: '/api/v1/session', headers: bearer(token) });
            const expected = isGood(session, token, instance) ? 200 : 401;
            if (status !== expected) faults.push(`${status} and not ${expected} at ${instance} for ${token}`);
          }
        }
      }
      return faults;
    },
    async logIn(choice: number) {
      const instance = choice % 2;
      const remember = choice % 5 > 0;
      const body = JSON.stringify({ email: 'foo@bar.com', password: PASSWORDS[password], remember });
      const at = nowOf(instance);
      const reply = await ask(instance, { method: 'POST', path: '/api/v1/sessions', headers: JSON_TYPE, body });
      expect('a login', reply.status, 200);
      const session: Known = { isEnded: false, createdAt: at, expiresAt: at, tokens: [], refresh: undefined };
      const current = keep(session, JSON.parse(reply.body), at);
      if ((current !== undefined) !== (remember && lifetimes.refresh !== undefined)) throw new Error('refresh token?');
      if (current !== undefined && lifetimes.refresh !== undefined) {
        session.refresh = { current, parent: undefined, old: [] };
        session.expiresAt = at + 1_000 * Math.min(lifetimes.refresh, lifetimes.session);
      }
      known.push(session);
    },
    renew: renewCurrent,
    /** The reply was lost. */
    async renewAgain(choice: number) {
      const chosen = renewable(choice, ({ parent }) => parent);
      if (chosen) await present(chosen.session, chosen.text, false, choice % 2);
    },
    /** Somebody has stolen it. */
    async renewWithOldToken(choice: number) {
      // The second renewal makes the first one's token old.
      for (let renewals = 0; renewals < 2; renewals += 1) await renewCurrent(choice);
      const chosen = renewable(choice, ({ old }) => old[choice % old.length]);
      if (chosen) await present(chosen.session, chosen.text, true, choice % 2);
    },
    async logOut(choice: number) {
      const chosen = choose(choice, choice % 2);
      if (!chosen) return;
      const { status } = await ask(choice % 2, {
        method: 'DELETE',
        path: '/api/v1/session',
        headers: bearer(chosen.token),
      });
      expect('a log-out', status, 204);
      chosen.session.isEnded = true;
    },
    async endOne(choice: number) {
      const [chosen, other] = [choose(choice, choice % 2), choose(choice + 1, choice % 2)];
      if (!chosen || !other) return;
      const path = `/api/v1/user/sessions/${claimsOf(other.token).sid}`;
      const { status } = await ask(choice % 2, { method: 'DELETE', path, headers: bearer(chosen.token) });
      expect('ending one', status, 204);
      other.session.isEnded = true;
    },
    async endOthers(choice: number) {
      const chosen = choose(choice, choice % 2);
      if (!chosen) return;
      const path = '/api/v1/user/sessions?keep_current=true';
      const { status } = await ask(choice % 2, { method: 'DELETE', path, headers: bearer(chosen.token) });
      expect('ending the others', status, 204);
      endAll(chosen.session);
    },
    async logOutEverywhere(choice: number) {
      const chosen = choose(choice, choice % 2);
      if (!chosen) return;
      const path = '/api/v1/user/sessions';
      const { status } = await ask(choice % 2, { method: 'DELETE', path, headers: bearer(chosen.token) });
      expect('a log-out everywhere', status, 204);
      endAll();
    },
    async changePassword() {
      password = 1 - password;
      const digest = digests[password];
      if (digest) await updateUser(database.users, id, { digest });
      endAll();
    },
    async disableAndEnable() {
      const disabledAt = new Date(clock.now);
      await updateUser(database.users, id, { disabled: true }, { at: disabledAt });
      await updateUser(database.users, id, { disabled: false });
      endAll();
    },
    async deleteAndCreateAnew() {
      await database.users.delete(id);
      const { passwordDigest = '' } = digests[password] ?? {};
      await database.userImport.store(
        [
          {
            id,
            email: 'foo@bar.com',
            passwordDigest,
            peppered: undefined,
            emailConfirmedAt: undefined,
            disabledAt: undefined,
            createdAt: undefined,
          },
        ],
        'reject',
      );
      endAll();
    },
    async restart(choice: number) {
      lifetimes = LIFETIMES[choice % LIFETIMES.length] ?? lifetimes;
      services = [await startOne(0), await startOne(1)];
    },
    async letTimePass(choice: number) {
      clock.now += choice * 500;
      clock.latest = Math.max(clock.latest, clock.now);
    },
    /** By a minute in all: more is not tolerated. */
    async setClockBack() {
      clock.now = clock.latest - SKEW;
    },
  };
}

for (const provider of PROVIDERS) {
  for (const [form, env] of Object.entries({
    'of the seed’s form': {},
    'of keys': { JWT_KEYS: jwkSet(privateJwks('EdDSA')) },
  })) {
    t.test(`no ended session is good, no good one is refused, with tokens ${form} on ${provider}`, async (t) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), async (steps) => {
          const world = await startWorld(t, provider, env);
          for (const [name, choice] of steps) {
            await world[name](choice);
            const faults = await world.check();
            if (faults.length > 0) throw new Error(`after ${name}: ${faults.join('; ')}`);
          }
        }),
        { numRuns: RUNS[provider], endOnFailure: true },
      );
      t.pass(`${RUNS[provider]} sequences`);
    });
  }

  t.test(`tokens without sid on ${provider}`, async (t) => {
    const databaseUrl = await createDatabase(t, provider);
    const { databaseUrl: url } = readConfig({ DATABASE_URL: databaseUrl }, { issuesTokens: false });
    const service = await startService(t, provider, { databaseUrl, env: CHEAP });
    const database = await openDatabase(url);
    t.teardown(() => database.close());
    const imported = (id: number, email: string) => ({
      id,
      email,
      passwordDigest: digests[0]?.passwordDigest,
      peppered: undefined,
      emailConfirmedAt: undefined,
      disabledAt: undefined,
      createdAt: undefined,
    });
    await database.userImport.store([imported(7, 'seven@x'), imported(3, 'three@x')], 'reject');
    const { id: added } = await database.users.add('added@x', digests[0] ?? (await bcrypt.hash('foobar')));
    const statusOf = async (userId: number) =>
      (await service.request({ path: '/api/v1/session', headers: bearer(tokenOf(userId)) })).status;
    t.equal(await statusOf(7), 200, 'of a user who was imported');
    t.equal(await statusOf(3), 200, 'also after one with a larger id');
    t.equal(await statusOf(added), 401, 'the service has issued none to a user that it added');
    const { body } = await service.request({ path: '/api/v1/session', headers: bearer(tokenOf(7)) });
    t.notMatch(body, 'sid');

    const logOut = { method: 'DELETE', path: '/api/v1/session', headers: bearer(tokenOf(7)) };
    t.equal((await service.request(logOut)).status, 204);
    t.equal(await statusOf(7), 401, 'a log-out ends all of them');
    t.equal(await statusOf(3), 200);

    await database.users.delete(3);
    const later = await openDatabase(url);
    t.teardown(() => later.close());
    await later.userImport.store([imported(3, 'three@x'), imported(2_000, 'new@x')], 'reject');
    t.equal(await statusOf(3), 401, 'an id that may have been deleted here');
    t.equal(await statusOf(2_000), 200, 'an id that was never here');

    const changed = { ...imported(2_000, 'new@x'), passwordDigest: digests[1]?.passwordDigest };
    await later.userImport.store([changed, imported(1_900, 'smaller@x')], 'update');
    t.equal(await statusOf(1_900), 200, 'a smaller one, after a user has changed and kept her id');

    await later.userImport.store([imported(6_000, 'x@x')], 'reject');
    t.equal(await statusOf(6_000), 200);
    await later.userImport.store([imported(6_001, 'x@x'), imported(6_000, 'y@x')], 'update');
    t.equal(await statusOf(6_000), 401, 'an id that another user has given up');
  });
}
