import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createDeadline } from '#built/errors/deadline.js';
import { deriveKey } from '#built/throttle/keys.js';
import { createThrottle } from '#built/throttle/throttle.js';
import { attempt } from '../support/attempt.js';
import { FORM, type Request } from '../support/send.js';
import { createDatabase, execute, SECRET, startService } from '../support/service.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

function login(email: string, password: string, address = '192.0.2.1'): Request {
  return {
    method: 'POST',
    path: '/api/v1/sessions',
    headers: { ...FORM, 'x-forwarded-for': address },
    body: new URLSearchParams({ email, password }).toString(),
  };
}

/** A service whose clock the test moves, and whose clients' addresses it chooses. */
async function start(t: Test, provider: Provider, env: NodeJS.ProcessEnv = {}, databaseUrl?: string) {
  const clock = { now: Date.UTC(2026, 10, 24) };
  const url = databaseUrl ?? (await createDatabase(t, provider));
  const service = await startService(t, provider, {
    env: { TRUST_PROXY: 'true', PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', ...env },
    databaseUrl: url,
    now: () => clock.now,
  });
  const statuses = async (times: number, ...details: Parameters<typeof login>) => {
    const got: number[] = [];
    for (let time = 0; time < times; time += 1) got.push((await service.request(login(...details))).status);
    return got;
  };
  const { databaseUrl: parsed } = readConfig({ DATABASE_URL: url }, { issuesTokens: false });
  return { ...service, databaseUrl: parsed, clock, statuses };
}

function times(count: number, status: number): number[] {
  return Array.from({ length: count }, () => status);
}

for (const provider of PROVIDERS) {
  t.test(`failures of one email from one address on ${provider}`, async (t) => {
    const { request, addUser, clock, statuses } = await start(t, provider);
    await addUser('foo@bar.com', 'foobar');

    for (const email of ['foo@bar.com', 'nobody@bar.com']) {
      t.same(await statuses(10, email, 'wrong'), times(10, 401), 'ten are let pass');
      for (const wait of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
        const refused = await request(login(email.toUpperCase(), 'foobar'));
        t.equal(refused.status, 429, 'right or wrong');
        t.equal(refused.headers['retry-after'], String(wait));
        t.equal(refused.body, '{"message":"Too many requests","code":"too_many_requests"}');
        clock.now += wait * SECOND - 1;
        t.equal((await request(login(email, 'wrong'))).status, 429);
        clock.now += 1;
        t.equal((await request(login(email, 'wrong'))).status, 401, `after ${wait} s`);
      }
    }
    t.equal((await request(login('foo@bar.com', 'foobar', '192.0.2.2'))).status, 200, 'not from another address');
    clock.now += 900 * SECOND;
    t.equal((await request(login('foo@bar.com', 'foobar'))).status, 200);
    t.same(await statuses(11, 'foo@bar.com', 'wrong'), [...times(10, 401), 429], 'a success clears the budget');
    clock.now += DAY;
    t.same(await statuses(11, 'foo@bar.com', 'wrong'), [...times(10, 401), 429], 'and so does a day');
  });

  t.test(`failures from one address on ${provider}`, async (t) => {
    const { request, addUser, clock } = await start(t, provider, { THROTTLE_ADDRESS: '6' });
    await addUser('foo@bar.com', 'foobar');
    await addUser('known@bar.com', 'foobar');
    t.equal((await request(login('known@bar.com', 'foobar', '2001:db8::1'))).status, 200);
    for (let host = 1; host <= 6; host += 1) {
      clock.now += 60 * SECOND;
      t.equal((await request(login(`${host}@bar.com`, 'wrong', `2001:db8::${host}`))).status, 401, 'of one /64');
    }
    const refused = await request(login('foo@bar.com', 'foobar', '2001:db8::ffff'));
    t.equal(refused.status, 429);
    t.equal(refused.headers['retry-after'], String(3600 - 5 * 60), 'an hour after the first');
    t.equal((await request(login('foo@bar.com', 'foobar', '2001:db8:0:1::1'))).status, 200, 'of another /64');
    t.equal((await request(login('known@bar.com', 'foobar', '2001:db8::1'))).status, 200, 'who was there before');
    clock.now += HOUR - 5 * 60 * SECOND;
    t.equal((await request(login('foo@bar.com', 'foobar', '2001:db8::ffff'))).status, 200);
  });

  t.test(`failures of one email from anywhere on ${provider}`, async (t) => {
    const { request, addUser, clock, statuses } = await start(t, provider, { THROTTLE_EMAIL: '5' });
    await addUser('foo@bar.com', 'foobar');
    t.equal((await request(login('foo@bar.com', 'foobar', '192.0.2.9'))).status, 200);
    for (const email of ['foo@bar.com', 'nobody@bar.com']) {
      for (let host = 1; host <= 5; host += 1) {
        t.equal((await request(login(email, 'wrong', `198.51.100.${host}`))).status, 401);
      }
      const refused = await request(login(email, 'foobar', '203.0.113.1'));
      t.equal(refused.status, 429);
      t.equal(refused.headers['retry-after'], String(DAY / SECOND));
    }
    t.equal((await request(login('foo@bar.com', 'foobar', '192.0.2.9'))).status, 200, 'the owner’s own address');
    t.equal((await request(login('foo@bar.com', 'foobar', '::ffff:192.0.2.9'))).status, 200, 'spelled otherwise');
    t.same(await statuses(12, 'foo@bar.com', 'wrong', '192.0.2.9'), times(12, 429), 'what others get');
    clock.now += DAY;
    t.equal((await request(login('foo@bar.com', 'foobar', '203.0.113.1'))).status, 200);
  });

  t.test(`guesses that are sent at once on ${provider}`, async (t) => {
    const { request, addUser } = await start(t, provider);
    await addUser('foo@bar.com', 'foobar');
    for (const email of ['foo@bar.com', 'nobody@bar.com']) {
      const guesses = await Promise.all(Array.from({ length: 60 }, () => request(login(email, 'wrong'))));
      t.equal(guesses.filter(({ status }) => status === 401).length, 10);
      t.equal(guesses.filter(({ status }) => status === 429).length, 50, 'no more wait than are told so');
    }
    const address = '192.0.2.7';
    const right = await Promise.all(Array.from({ length: 20 }, () => request(login('foo@bar.com', 'foobar', address))));
    t.same(
      right.map(({ status }) => status),
      times(20, 200),
      'right passwords wait for one another',
    );
  });

  t.test(`budgets are shared by all instances, and kept over restarts, on ${provider}`, async (t) => {
    const databaseUrl = await createDatabase(t, provider);
    const one = await start(t, provider, {}, databaseUrl);
    const other = await start(t, provider, {}, databaseUrl);
    t.same(await one.statuses(5, 'a@b', 'wrong'), times(5, 401));
    t.same(await other.statuses(6, 'a@b', 'wrong'), [...times(5, 401), 429]);
    t.same(await one.statuses(1, 'a@b', 'wrong'), [429]);
    const restarted = await start(t, provider, {}, databaseUrl);
    t.same(await restarted.statuses(1, 'a@b', 'wrong'), [429]);
  });
}

t.test('0 switches a budget off', async (t) => {
  const { statuses } = await start(t, 'sqlite', { THROTTLE_EMAIL_ADDRESS: '0' });
  t.same(await statuses(12, 'a@b', 'wrong'), times(12, 401));
  const off = { THROTTLE_EMAIL_ADDRESS: '0', THROTTLE_ADDRESS: '0', THROTTLE_EMAIL: '0' };
  const none = await start(t, 'sqlite', off);
  t.same(await none.statuses(12, 'a@b', 'wrong'), times(12, 401));
});

for (const provider of PROVIDERS) {
  t.test(`the key of the counters is stored at the upgrade, and no lockout ends, on ${provider}`, async (t) => {
    const DATABASE_URL = await createDatabase(t, provider);
    const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
    await migrate(databaseUrl);
    const database = await openDatabase(databaseUrl);
    t.teardown(() => database.close());
    // As earlier versions counted: by JWT_SECRET.
    const budgets = { emailAddress: 10, address: 0, email: 1 };
    const earlier = createThrottle(database.throttleCounters, budgets, deriveKey(SECRET), Date.now);
    const email = 'foo@bar.com';
    await attempt(
      earlier,
      { email, address: '192.0.2.1', deadline: createDeadline(60_000) },
      (counterKeys) => database.findForLogin({ email, counterKeys }),
      async () => 'wrong_password',
    );
    const instances = [SECRET, 'x'.repeat(32), 'y'.repeat(32)];
    for (const JWT_SECRET of instances) {
      const env = { JWT_SECRET, THROTTLE_EMAIL: '1', THROTTLE_EMAIL_ADDRESS: '10' };
      const service = await startService(t, provider, { databaseUrl: DATABASE_URL, env });
      const { status } = await service.request(login(email, 'a guess'));
      t.equal(status, 429, `with the secret ${JWT_SECRET}`);
    }
    const key = await database.secrets.throttleKey(Buffer.from('another'));
    t.same(key, deriveKey(SECRET));
    t.notMatch(key.toString('base64url'), SECRET);
  });
}

t.test('a failure that could not be counted is not risked', async (t) => {
  const service = await start(t, 'sqlite');
  await service.addUser('foo@bar.com', 'foobar');
  await execute(service.databaseUrl, 'DROP TABLE throttle_counters');
  t.same(await service.statuses(1, 'foo@bar.com', 'foobar'), [503]);
});
