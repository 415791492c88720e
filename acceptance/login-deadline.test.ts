/** How long logins take while their database does not answer: one deadline for each, from its arrival to its reply. */
import { setTimeout as wait } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import t, { type Test } from 'tap';
import type { Provider } from '#built/database/connection/database-url.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { type Running, run, start, waitedForCores } from '../test/support/executable.js';
import { lockSqlite } from '../test/support/lock-sqlite.js';
import { metricsUrlOf, scrape } from '../test/support/scrape.js';
import { FORM, send } from '../test/support/send.js';
import { execute, SECRET } from '../test/support/service.js';
import { CHEAP } from '../test/support/steady-logins.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { startFreezingProxy } from './freezing-proxy.js';

/** Milliseconds. */
const ANSWERED_WITHIN = 3_000;
const PROBED_WITHIN = 1_000;
const RECOVERED_WITHIN = 2_000;
/** For which the answer to a ping is used again. */
const PING_LIFETIME = 500;

const USERS = 300;
/** Logins of one user, among the others. */
const OF_ONE_USER = 50;

const emailOf = (number: number) => `user${number}@bar.com`;

type Answer = { status: number; milliseconds: number };

async function login(url: string, email: string, password: string): Promise<Answer> {
  const started = performance.now();
  const body = new URLSearchParams({ email, password }).toString();
  const { status } = await send(url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
  return { status, milliseconds: performance.now() - started };
}

/** Logs a user in until it succeeds, and returns the milliseconds that it took. */
async function recover(url: string, email: string): Promise<number> {
  const started = performance.now();
  while ((await login(url, email, 'correct horse')).status !== 200 && performance.now() - started < 20_000)
    await wait(50);
  return performance.now() - started;
}

t.setTimeout(600_000);

const postgresql = await startTemporaryPostgresql();
t.teardown(() => postgresql.stop());

async function createPostgresqlDatabase(name: string): Promise<string> {
  await execute({ provider: 'postgresql', href: postgresql.url }, `CREATE DATABASE ${name}`);
  return new URL(name, postgresql.url).href;
}

t.test('PostgreSQL freezes at each query of a login in turn', async (t) => {
  const databaseUrl = await createPostgresqlDatabase('frozen');
  const proxy = await startFreezingProxy(t, databaseUrl);
  const options = { cwd: t.testdir(), env: { ...CHEAP, DATABASE_URL: proxy.url, JWT_SECRET: SECRET } };
  await run(['users', 'add', 'foo@bar.com'], { ...options, input: 'correct horse' });
  const { url } = await start(t, options);
  const connection = await new PrismaPg({ connectionString: databaseUrl }).connect();
  t.teardown(() => connection.dispose());
  const known = { sql: `SELECT 1 FROM throttle_counters WHERE key LIKE 'known:%'`, args: [], argTypes: [] };
  await login(url, 'foo@bar.com', 'correct horse');
  while ((await connection.queryRaw(known)).rows.length === 0) await wait(50);

  /** Returns the SQL of the query that it was frozen at; undefined where the login has fewer. */
  async function freezeAt(count: number, password: string, right: number): Promise<string | undefined> {
    await wait(PING_LIFETIME + 100);
    let queries = 0;
    proxy.freezeAt(() => {
      queries += 1;
      return queries === count;
    });
    const { status, milliseconds } = await login(url, 'foo@bar.com', password);
    const sql = proxy.thaw();
    const name = sql === undefined ? 'untouched' : `frozen at query ${count}, ${sql.trim().slice(0, 60)}`;
    t.ok(status === right || (sql !== undefined && status === 503), `${name}: ${status}`);
    t.ok(milliseconds <= ANSWERED_WITHIN, `in ${milliseconds.toFixed(0)} ms`);
    const recovered = await recover(url, 'foo@bar.com');
    t.ok(recovered < RECOVERED_WITHIN, `right again after ${recovered.toFixed(0)} ms`);
    return sql;
  }

  /** Returns the SQL of all queries of a login. */
  async function freezeAtEach(password: string, right: number, prepare = async () => {}): Promise<string[]> {
    const queries: string[] = [];
    for (;;) {
      await prepare();
      const sql = await freezeAt(queries.length + 1, password, right);
      if (sql === undefined) return queries;
      queries.push(sql);
    }
  }

  const failure = await freezeAtEach('wrong', 401);
  const successAfterFailure = await freezeAtEach('correct horse', 200, async () => {
    t.equal((await login(url, 'foo@bar.com', 'wrong')).status, 401);
  });
  for (const query of [
    /^SELECT known\./,
    /^SELECT .*FROM "public"."users"/,
    /^SELECT .*FROM "public"."throttle_counters"/,
    /^INSERT INTO "public"."throttle_counters"/,
    /^\s*INSERT INTO throttle_counters AS counter/,
    /^DELETE FROM "public"."throttle_counters"/,
  ]) {
    const wasFrozen = [...failure, ...successAfterFailure].some((sql) => query.test(sql));
    t.ok(wasFrozen, `frozen at ${query}`);
  }

  for (const [password, lastQuery] of [
    ['wrong', 'INSERT INTO throttle_counters AS counter'],
    ['correct horse', 'DELETE FROM'],
  ] as const) {
    t.equal((await login(url, 'foo@bar.com', 'wrong')).status, 401);
    proxy.freezeAt((sql) => sql.startsWith('SELECT known.'));
    const twice = login(url, 'foo@bar.com', password);
    await wait(1_000);
    t.match(proxy.thaw(), 'SELECT');
    proxy.freezeAt((sql) => sql.includes(lastQuery));
    const { status, milliseconds } = await twice;
    t.match(proxy.thaw(), lastQuery);
    t.equal(status, 503);
    t.ok(milliseconds <= ANSWERED_WITHIN, `frozen at two queries: in ${milliseconds.toFixed(0)} ms`);
    await recover(url, 'foo@bar.com');
  }
});

type Stall = {
  provider: Provider;
  /** Returns what ends it. */
  begin(databaseUrl: string): Promise<() => void | Promise<void>>;
};

const STALLS: Record<string, Stall> = {
  'PostgreSQL is frozen': {
    provider: 'postgresql',
    async begin() {
      await postgresql.signal('SIGSTOP');
      return () => postgresql.signal('SIGCONT');
    },
  },
  'SQLite is locked': {
    provider: 'sqlite',
    begin: async (databaseUrl) => lockSqlite(databaseUrl.slice('file:'.length)),
  },
};

let databases = 0;

/** Starts the service with users whose password is "correct horse". */
async function startWithUsers(t: Test, provider: Provider, hashing: NodeJS.ProcessEnv) {
  const cwd = t.testdir();
  const file = `${cwd}/sessions.db`;
  databases += 1;
  const databaseUrl = provider === 'sqlite' ? `file:${file}` : await createPostgresqlDatabase(`stalled_${databases}`);
  // All come from one address.
  const budgets = { THROTTLE_ADDRESS: '1000000', THROTTLE_EMAIL: '1000000' };
  const env = { ...hashing, ...budgets, DATABASE_URL: databaseUrl, JWT_SECRET: SECRET, METRICS_PORT: '0' };
  const service = await start(t, { cwd, env });
  const [algorithm, cost] = [hashing.PASSWORD_HASHING, Number(hashing.BCRYPT_COST)];
  const { hash } = createPasswords(algorithm === 'bcrypt' ? { algorithm, cost } : { algorithm: 'argon2id' });
  const { passwordDigest } = await hash('correct horse');
  const rows = Array.from({ length: USERS }, (_, number) => `('${emailOf(number)}', '${passwordDigest}')`);
  await execute(
    provider === 'sqlite' ? { provider, file } : { provider, href: databaseUrl },
    `INSERT INTO users (email, password_digest) VALUES ${rows.join(', ')}`,
  );
  return { service, databaseUrl };
}

/** Sends all logins at once. */
function logInAll(url: string, passwordOf: (number: number) => string): Promise<Answer[]> {
  const all = Array.from({ length: USERS + OF_ONE_USER }, (_, number) => {
    const email = emailOf(Math.min(number, USERS - 1));
    return login(url, email, passwordOf(number));
  });
  return Promise.all(all);
}

/** Returns the longest that the process took to answer until `work` is done. */
async function slowestProbe(url: string, work: Promise<unknown>): Promise<number> {
  let slowest = 0;
  let going = true;
  work.finally(() => {
    going = false;
  });
  while (going) {
    const started = performance.now();
    await send(url, { path: '/livez' });
    slowest = Math.max(slowest, performance.now() - started);
    await wait(20);
  }
  return slowest;
}

/** The upper bound of the histogram's last bucket that has a hash in it, in milliseconds. */
async function slowestHash(metricsUrl: string): Promise<number> {
  const { samples } = await scrape(metricsUrl);
  const name = 'sessions_hash_duration_seconds';
  const all = samples.get(`${name}_count`) ?? 0;
  if (all === 0) return 0;
  const bounds = [...samples].flatMap(([sample, count]) => {
    const [, bound] = sample.match(new RegExp(`^${name}_bucket{le="(.+)"}$`)) ?? [];
    return bound && count === all ? [Number(bound.replace('+Inf', 'Infinity'))] : [];
  });
  return Math.min(...bounds) * 1_000;
}

/** @param waitedBefore - for cores, until the logins were sent */
async function checkAnswers(t: Test, service: Running, logins: Promise<Answer[]>, waitedBefore: number): Promise<void> {
  const probe = await slowestProbe(service.url, logins);
  const answers = await logins;
  const waited = (await waitedForCores(service)) - waitedBefore;
  const hash = await slowestHash(await metricsUrlOf(service));
  const slowest = Math.max(...answers.map(({ milliseconds }) => milliseconds));
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  const statuses = [200, 401, 503].map((status) => `${count(status)} with ${status}`).join(', ');
  t.equal(count(200) + count(401) + count(503), USERS + OF_ONE_USER, statuses);
  t.comment(`a hash took up to ${hash} ms; ${waited.toFixed(0)} ms were spent waiting for a core`);
  t.ok(slowest <= ANSWERED_WITHIN + hash + waited, `the slowest login was answered in ${slowest.toFixed(0)} ms`);
  t.ok(probe <= PROBED_WITHIN + waited, `the slowest probe was answered in ${probe.toFixed(0)} ms`);
}

async function checkRecovery(t: Test, service: Running): Promise<void> {
  const recovered = await recover(service.url, emailOf(0));
  t.ok(recovered < RECOVERED_WITHIN, `right again after ${recovered.toFixed(0)} ms`);
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
}

for (const [name, { provider, begin }] of Object.entries(STALLS)) {
  t.test(`${name} before 300 users log in`, async (t) => {
    const { service, databaseUrl } = await startWithUsers(t, provider, CHEAP);
    const end = await begin(databaseUrl);
    const half = (number: number) => (number % 2 === 0 ? 'correct horse' : 'wrong');
    const waited = await waitedForCores(service);
    await checkAnswers(t, service, logInAll(service.url, half), waited).finally(end);
    await checkRecovery(t, service);
  });

  t.test(`${name} while 300 users' passwords are hashed`, async (t) => {
    const { service, databaseUrl } = await startWithUsers(t, provider, { PASSWORD_HASHING: 'argon2id' });
    const metricsUrl = await metricsUrlOf(service);
    const waited = await waitedForCores(service);
    const logins = logInAll(service.url, () => 'wrong');
    while ((await scrape(metricsUrl)).samples.get('sessions_hashes_running') === 0) await wait(1);
    const end = await begin(databaseUrl);
    await checkAnswers(t, service, logins, waited).finally(end);
    await checkRecovery(t, service);
  });
}
