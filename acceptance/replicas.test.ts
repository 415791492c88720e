/** Several instances, as processes, on one PostgreSQL. */
import { PrismaPg } from '@prisma/adapter-pg';
import t, { type Test } from 'tap';
import { type Running, run, start } from '../test/executable.js';
import { FORM, send } from '../test/send.js';
import { createDatabase, SECRET, UNTHROTTLED } from '../test/service.js';

const BCRYPT = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
const RACES = 3;
const INSTANCES = 4;

t.setTimeout(300_000);

function login({ url }: Running, password = 'foobar') {
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
  await run(['users', 'add', 'foo@bar.com'], { cwd, env: { ...BCRYPT, DATABASE_URL }, input: 'foobar' });
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
  t.equal(replies.filter(({ status }) => status === 429).length, guesses.length - passed);
  t.ok(passed >= limit && passed <= 2 * limit, `${passed} were tried`);
});

t.test('an instance has at most DATABASE_POOL_MAX connections', async (t) => {
  const DATABASE_POOL_MAX = '3';
  const url = await createDatabase(t, 'postgresql');
  const names = ['one', 'other'];
  const instances = await startInstances(
    t,
    { ...UNTHROTTLED, THROTTLE_ADDRESS: '1000000', DATABASE_POOL_MAX },
    names.map((name) => `${url}?application_name=${name}`),
  );
  const observer = await new PrismaPg({ connectionString: url, max: 1 }).connect();
  t.teardown(() => observer.dispose());
  const connections = async () => {
    const sql = `SELECT application_name, count(*)::int FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1`;
    return (await observer.queryRaw({ sql, args: [], argTypes: [] })).rows;
  };

  const end = performance.now() + 4_000;
  const answers = new Set<string>();
  const loops = Array.from({ length: 40 }, async (_, loop) => {
    const instance = instances[loop % instances.length];
    while (instance && performance.now() < end) {
      const password = loop % 4 > 1 ? 'foobar' : 'wrong';
      answers.add(`${password} ${(await login(instance, password)).status}`);
    }
  });
  const most = new Map<unknown, number>();
  while (performance.now() < end) {
    for (const [name, count] of await connections()) most.set(name, Math.max(most.get(name) ?? 0, Number(count)));
  }
  await Promise.all(loops);
  t.same([...answers].sort(), ['foobar 200', 'wrong 401'], 'every login is answered');
  t.same(Object.fromEntries(most), { one: 3, other: 3 }, 'as many, and no more');
});
