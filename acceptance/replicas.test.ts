/** Several instances, as processes, on one PostgreSQL. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import t, { type Test } from 'tap';
import { type Running, run, start } from '../test/support/executable.js';
import { FORM, send } from '../test/support/send.js';
import { createDatabase, execute, HIGH_BUDGETS, SECRET, UNTHROTTLED } from '../test/support/service.js';
import { freePort } from '../test/support/temporary-postgresql.js';

const BCRYPT = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
const RACES = 3;
const INSTANCES = 4;

t.setTimeout(300_000);

function login({ url }: Running, password = 'correct horse') {
  const body = new URLSearchParams({ email: 'foo@bar.com', password }).toString();
  return send(url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
}

async function startInstances(t: Test, env: NodeJS.ProcessEnv, urls: string[]): Promise<Running[]> {
  const cwd = t.testdir();
  const started = Promise.all(
    urls.map((DATABASE_URL) => start(t, { cwd, env: { ...BCRYPT, ...env, DATABASE_URL, JWT_SECRET: SECRET } })),
  );
  const instances = await started;
  const [DATABASE_URL] = urls;
  await run(['users', 'add', 'foo@bar.com'], { cwd, env: { ...BCRYPT, DATABASE_URL }, input: 'correct horse' });
  return instances;
}

t.test(`${INSTANCES} instances that start at once on an empty database`, async (t) => {
  for (let race = 0; race < RACES; race += 1) {
    const url = await createDatabase(t, 'postgresql');
    const instances = await startInstances(t, {}, Array(INSTANCES).fill(url));
    const migrations = instances.flatMap((instance) => instance.output().match(/applied migration \w+/g) ?? []);
    t.ok(migrations.length > 0);
    t.equal(new Set(migrations).size, migrations.length, 'each migration is applied once');
    for (const instance of instances) {
      t.equal((await send(instance.url, { path: '/readyz' })).status, 200);
      t.equal((await login(instance)).status, 200);
      instance.kill('SIGTERM');
      t.equal(await instance.exited, 0);
    }
  }
});

t.test('failures counted by one instance stop the next at another', async (t) => {
  const limit = 3;
  const url = await createDatabase(t, 'postgresql');
  const env = { ...UNTHROTTLED, THROTTLE_EMAIL_ADDRESS: String(limit) };
  const [one, other] = await startInstances(t, env, [url, url]);
  if (!one || !other) throw new Error('two were started');
  for (let failure = 0; failure < limit; failure += 1) t.equal((await login(one, 'wrong')).status, 401);
  const refused = await login(other);
  t.equal(refused.status, 429, 'even the right password');
  t.match(refused.headers['retry-after'], /^\d+$/);
  t.equal((await login(one)).status, 429);
});

t.test('guesses sent at once through several instances have at most the budget of each', async (t) => {
  const limit = 3;
  const url = await createDatabase(t, 'postgresql');
  const env = { ...UNTHROTTLED, THROTTLE_EMAIL: String(limit) };
  const instances = await startInstances(t, env, [url, url]);
  const guesses = Array.from({ length: 40 }, (_, guess) => instances[guess % 2]).filter((one) => one !== undefined);
  const replies = await Promise.all(guesses.map((instance, guess) => login(instance, `wrong ${guess}`)));
  const passed = replies.filter(({ status }) => status === 401).length;
  t.equal(replies.filter(({ status }) => status === 429 || status === 503).length, guesses.length - passed);
  t.ok(passed >= limit && passed <= 2 * limit, `${passed} were tried`);
});

t.test('an instance has at most DATABASE_POOL_MAX connections', async (t) => {
  const url = await createDatabase(t, 'postgresql');
  const env = { ...UNTHROTTLED, THROTTLE_ADDRESS: '1000000', DATABASE_POOL_MAX: '3' };
  const names = ['one', 'other'];
  const instances = await startInstances(
    t,
    env,
    names.map((name) => `${url}?application_name=${name}`),
  );
  t.same(await connectionsUnderLogins(t, instances, url), { one: 3, other: 3 }, 'as many, and no more');
});

t.test('a login reads by index only, among a million users and counters', async (t) => {
  const url = await createDatabase(t, 'postgresql');
  const [instance] = await startInstances(t, HIGH_BUDGETS, [url]);
  if (!instance) throw new Error('one was started');
  const observer = await new PrismaPg({ connectionString: url, max: 1 }).connect();
  t.teardown(() => observer.dispose());
  await observer.executeScript(`
    INSERT INTO throttle_counters SELECT 'email:' || md5(n::text), 1, 4000000000000 FROM generate_series(1, 1000000) AS series(n);
    INSERT INTO users (email, password_digest) SELECT n || '@bar.com', 'x' FROM generate_series(1, 1000000) AS series(n);
    ANALYZE`);
  const scans = async () => {
    const sql = `SELECT sum(seq_tup_read)::int, sum(idx_scan)::int FROM pg_stat_user_tables
      WHERE relname IN ('users', 'throttle_counters')`;
    const [[read, byIndex] = []] = (await observer.queryRaw({ sql, args: [], argTypes: [] })).rows;
    return { read: Number(read), byIndex: Number(byIndex) };
  };
  const before = await scans();
  let after = before;
  // From the sixth on PostgreSQL may use one plan for all; it tells what was read some time later.
  for (let logins = 0; after.byIndex < before.byIndex + 100; logins += 1) {
    if (logins === 5_000) return t.fail('PostgreSQL tells of no scan of an index');
    t.equal((await login(instance, logins % 4 ? 'correct horse' : 'wrong')).status, logins % 4 ? 200 : 401);
    after = await scans();
  }
  t.ok(after.read - before.read < 1_000, `${after.read - before.read} rows were read otherwise`);
});

t.test('a version starts where a newer one has added to the tables', async (t) => {
  const url = await createDatabase(t, 'postgresql');
  const env = { DATABASE_URL: url };
  await run(['migrate'], { cwd: t.testdir(), env });
  await execute(
    { provider: 'postgresql', href: url },
    `ALTER TABLE users ADD COLUMN added_later TEXT;
    INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
    VALUES ('later', 'x', '29990101000000_later', now(), 1)`,
  );
  const [instance] = await startInstances(t, {}, [url]);
  t.equal(instance && (await login(instance)).status, 200);
});

const PGBOUNCER = '/usr/sbin/pgbouncer';
t.test(
  'PgBouncer, a connection for each transaction',
  { skip: !existsSync(PGBOUNCER) && 'is not there' },
  async (t) => {
    const url = await createDatabase(t, 'postgresql');
    const { hostname, port, pathname, username, password } = new URL(url);
    const listensAt = await freePort();
    const file = `${t.testdir()}/pgbouncer.ini`;
    await writeFile(
      file,
      `[databases]
    sessions = host=${hostname} port=${port} dbname=${pathname.slice(1)} user=${username} password=${password}
    [pgbouncer]
    listen_addr = 127.0.0.1
    listen_port = ${listensAt}
    unix_socket_dir =
    auth_type = any
    pool_mode = transaction
    default_pool_size = 2
    `,
    );
    // It refuses to run as root.
    const pgbouncer = spawn(PGBOUNCER, [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), file], {
      stdio: 'pipe',
    });
    t.teardown(() => pgbouncer.kill('SIGINT'));
    await once(pgbouncer.stderr, 'data');
    const through = `postgresql://any@127.0.0.1:${listensAt}/sessions?pgbouncer=true`;
    const instances = await startInstances(t, { ...UNTHROTTLED, THROTTLE_ADDRESS: '1000000' }, [through, through]);
    const connections = await connectionsUnderLogins(t, instances, url);
    t.equal(connections['sessions-api'], 2, 'two instances share two connections');
  },
);

/** Logs in at all instances, and tells how many connections there were at most, by application_name. */
async function connectionsUnderLogins(t: Test, instances: Running[], url: string): Promise<{ [name: string]: number }> {
  const observer = await new PrismaPg({ connectionString: url, max: 1 }).connect();
  t.teardown(() => observer.dispose());
  const sql = `SELECT application_name, count(*)::int FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1`;
  const end = performance.now() + 4_000;
  const answers = new Set<string>();
  const loops = Array.from({ length: 40 }, async (_, loop) => {
    const instance = instances[loop % instances.length];
    const password = loop % 4 > 1 ? 'correct horse' : 'wrong';
    while (instance && performance.now() < end) answers.add(`${password} ${(await login(instance, password)).status}`);
  });
  const most: { [name: string]: number } = {};
  while (performance.now() < end) {
    for (const [name, count] of (await observer.queryRaw({ sql, args: [], argTypes: [] })).rows) {
      most[String(name)] = Math.max(most[String(name)] ?? 0, Number(count));
    }
  }
  await Promise.all(loops);
  t.same([...answers].sort(), ['correct horse 200', 'wrong 401'], 'every login is answered');
  return most;
}
