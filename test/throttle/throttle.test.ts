import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createDeadline } from '#built/errors/deadline.js';
import { createThrottle, type Throttle } from '#built/throttle/throttle.js';
import { FORM, type Request } from '../support/send.js';
import { createDatabase, SECRET, startService } from '../support/service.js';

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
  const service = await startService(t, provider, {
    env: { TRUST_PROXY: 'true', PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', ...env },
    ...(databaseUrl && { databaseUrl }),
    now: () => clock.now,
  });
  const statuses = async (times: number, ...details: Parameters<typeof login>) => {
    const got: number[] = [];
    for (let time = 0; time < times; time += 1) got.push((await service.request(login(...details))).status);
    return got;
  };
  return { ...service, clock, statuses };
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
        t.equal(refused.body, '{"message":"Too many requests"}');
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
      t.equal(guesses.filter(({ status }) => status === 429 || status === 503).length, 50);
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

t.test('a new secret starts the counters afresh, once for all instances', async (t) => {
  const { databaseUrl } = readConfig({ DATABASE_URL: await createDatabase(t, 'sqlite') }, { issuesTokens: true });
  await migrate(databaseUrl);
  const database = await openDatabase(databaseUrl);
  t.teardown(() => database.close());
  const budgets = { emailAddress: 1, address: 0, email: 0 };
  const instance = (secret: string) => createThrottle(database, budgets, secret, () => 0);
  const fail = (throttle: Throttle) =>
    throttle.attempt(
      who(),
      (counterKeys, now) => database.findForLogin({ email: 'foo@bar.com', counterKeys, exp: 0 }, now),
      async () => ({ outcome: 'wrong_password' }),
    );
  const REFUSED = { message: 'too many failed logins' };
  const [one, another] = [instance(SECRET), instance(SECRET)];
  await fail(one);
  await t.rejects(fail(another), REFUSED);
  one.rotateSecret('a new one');
  await fail(one);
  another.rotateSecret('a new one');
  await t.rejects(fail(another), REFUSED);
  await t.rejects(fail(instance('a new one')), REFUSED, 'also one that starts now');
});

const nothing = async () => {};
const throttleCounters = {
  countFailure: nothing,
  shorten: nothing,
  reset: nothing,
  remove: nothing,
  removeExpired: async () => 0,
};
const find = async () => ({ counters: new Map(), unlockedAt: 0, passwordChangedAt: 0 });

const who = () => ({ email: 'foo@bar.com', address: '192.0.2.1', deadline: createDeadline(10_000) });
const succeed = async () => ({ outcome: 'succeeded' });

t.test('an attempt that fails where it is its turn leaves it to the next', async (t) => {
  const budgets = { emailAddress: 2, address: 0, email: 0 };
  const throttle = createThrottle({ throttleCounters, ping: nothing }, budgets, SECRET, Date.now);
  const ends: (() => void)[] = [];
  const enter = () =>
    new Promise<void>((entered) => {
      throttle.attempt(who(), find, async () => {
        entered();
        await new Promise<void>((resolve) => ends.push(resolve));
        return { outcome: 'succeeded' };
      });
    });
  await Promise.all([enter(), enter()]);
  const failing = throttle.attempt(who(), () => Promise.reject(new Error('no answer')), succeed);
  const next = throttle.attempt(who(), find, succeed);
  ends.pop()?.();
  await t.rejects(failing, { message: 'no answer' });
  t.ok(await next);
  ends.pop()?.();
});

t.test('an attempt whose verification throws is closed, and not counted', async (t) => {
  const budgets = { emailAddress: 1, address: 0, email: 0 };
  let counted = 0;
  const countFailure = async () => {
    counted += 1;
  };
  const counting = { ...throttleCounters, countFailure };
  const throttle = createThrottle({ throttleCounters: counting, ping: nothing }, budgets, SECRET, Date.now);
  await t.rejects(throttle.attempt(who(), find, () => Promise.reject(new Error('overloaded'))));
  t.equal(counted, 0);
  t.ok(await throttle.attempt(who(), find, succeed), 'the next one is not kept waiting');
  await throttle.attempt(who(), find, async () => ({ outcome: 'wrong_password' }));
  t.equal(counted, 1);
});

t.test('a failure that could not be counted is not risked, unless none is counted', async (t) => {
  const ping = () => Promise.reject(new Error('read-only'));
  const attempt = (emailAddress: number) => {
    const budgets = { emailAddress, address: 0, email: 0 };
    return createThrottle({ throttleCounters, ping }, budgets, SECRET, Date.now).attempt(who(), find, succeed);
  };
  await t.rejects(attempt(1), { message: 'read-only' });
  t.ok(await attempt(0));
});
