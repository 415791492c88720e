/** Who is locked out, by what he may tell, and how a lockout ends. */
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createDeadline } from '#built/errors/deadline.js';
import { Overloaded } from '#built/errors/overloaded.js';
import { sweepCounters } from '#built/throttle/expired-counters.js';
import { createThrottle } from '#built/throttle/throttle.js';
import { setPassword, unlock } from '#built/users/change.js';
import { createDatabase, SECRET } from '../support/service.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const BUDGETS = { emailAddress: 3, address: 5, email: 4 };
/** Milliseconds. */
const VERIFYING_TAKES = 80;

/** A throttle on a real database, with a clock that the test moves. */
async function start(t: Test, provider: Provider, budgets = BUDGETS) {
  const env = { DATABASE_URL: await createDatabase(t, provider), JWT_SECRET: SECRET };
  const { databaseUrl } = readConfig(env, { issuesTokens: true });
  await migrate(databaseUrl);
  const database = await openDatabase(databaseUrl);
  t.teardown(() => database.close());
  const id = (await database.users.add('foo@bar.com', { passwordDigest: 'a digest', peppered: null })) ?? 0;
  const clock = { now: Date.now() };
  const throttle = createThrottle(database, budgets, SECRET, () => clock.now);
  let verified = 0;
  const attempt = async (
    outcome: 'succeeded' | 'wrong_password' | 'overloaded',
    address: string,
    email = 'foo@bar.com',
  ) => {
    const deadline = createDeadline(10_000);
    const began = performance.now();
    const reply = await throttle
      .attempt(
        { email, address, deadline },
        (counterKeys, now) => database.findForLogin({ email, counterKeys, exp: 0 }, now, deadline),
        async () => {
          if (outcome === 'overloaded') throw new Overloaded();
          verified += 1;
          await new Promise((resolve) => setTimeout(resolve, VERIFYING_TAKES));
          return { outcome };
        },
      )
      .then(
        (result) => result.outcome,
        (error) => ({ status: error.status, retryAfter: error.retryAfterSeconds }),
      );
    return { reply, took: performance.now() - began };
  };
  return { database, id, clock, throttle, attempt, verified: () => verified };
}

t.test('a guess is counted whose time is up once it has been hashed', async (t) => {
  const { database, throttle, clock } = await start(t, 'sqlite', { emailAddress: 1, address: 0, email: 0 });
  const guess = async () => {
    let remaining = 10_000;
    const deadline = {
      remaining: () => remaining,
      extend(more: number) {
        remaining += more;
      },
    };
    const who = { email: 'foo@bar.com', address: '192.0.2.1', deadline };
    return throttle.attempt(
      who,
      (counterKeys, now) => database.findForLogin({ ...who, counterKeys, exp: 0 }, now, deadline),
      async () => {
        remaining = -1;
        return { outcome: 'wrong_password' };
      },
    );
  };
  t.same(await guess(), { outcome: 'wrong_password' });
  t.match(await guess().catch((error) => error), { status: 429 });
  clock.now += DAY;
  t.same(await guess(), { outcome: 'wrong_password' });
});

for (const provider of PROVIDERS) {
  t.test(`over an address’s budget nobody learns who is known from there, on ${provider}`, async (t) => {
    const { attempt, throttle, verified } = await start(t, provider);
    await attempt('succeeded', '192.0.2.1');
    await throttle.flush();
    for (let i = 0; i < 5; i += 1) await attempt('wrong_password', '192.0.2.1', `${i}@bar.com`);

    const before = verified();
    const known = await attempt('wrong_password', '192.0.2.1');
    t.equal(verified(), before + 1, 'the password of a known address is verified');
    const other = await attempt('wrong_password', '192.0.2.1', 'other@bar.com');
    t.equal(verified(), before + 1, 'that of another is not');
    t.match(known.reply, { status: 429 });
    t.same(other.reply, known.reply, 'a wrong password gets the reply of the others');
    t.ok(other.took >= VERIFYING_TAKES - 1, `who waits as long: ${other.took} ms`);
    t.equal((await attempt('succeeded', '192.0.2.1')).reply, 'succeeded', 'the right one is let in');

    for (let i = 0; i < BUDGETS.emailAddress; i += 1) await attempt('wrong_password', '192.0.2.1');
    const lockedOut = await attempt('wrong_password', '192.0.2.1');
    t.same(
      lockedOut.reply,
      (await attempt('wrong_password', '192.0.2.1', 'other@bar.com')).reply,
      'also once locked out',
    );
    t.ok(lockedOut.took >= VERIFYING_TAKES - 1, `after the same time: ${lockedOut.took} ms`);
  });

  t.test(`nor by guesses that are sent at once, by overload or later, on ${provider}`, async (t) => {
    const { attempt, clock, throttle, verified } = await start(t, provider);
    await attempt('succeeded', '192.0.2.1');
    await throttle.flush();
    for (let i = 0; i < 5; i += 1) await attempt('wrong_password', '192.0.2.1', `${i}@bar.com`);
    const emails = ['foo@bar.com', 'other@bar.com'];
    for (const email of emails) {
      const { reply, took } = await attempt('overloaded', '192.0.2.1', email);
      t.match(reply, { status: 429 }, `${email} is not told of overload`);
      t.ok(took >= VERIFYING_TAKES - 1, `after ${took} ms`);
    }

    const before = verified();
    for (const email of emails) {
      const began = performance.now();
      const guesses = Array.from({ length: 3 }, () => attempt('wrong_password', '192.0.2.1', email));
      for (const { reply } of await Promise.all(guesses)) t.match(reply, { status: 429 });
      const took = performance.now() - began;
      t.ok(took >= 3 * (VERIFYING_TAKES - 1), `${email}: one after another, in ${took} ms`);
    }
    t.match((await attempt('succeeded', '192.0.2.1')).reply, { status: 429 });
    t.equal(verified(), before + BUDGETS.emailAddress, 'a guesser has no more tries than elsewhere');

    for (const email of emails) {
      const { reply } = await attempt('wrong_password', '198.51.100.1', email);
      t.equal(reply, 'wrong_password', `${email} is as far from the budget of an email`);
    }
    clock.now += HOUR;
    for (const email of emails) {
      const { reply } = await attempt('wrong_password', '192.0.2.1', email);
      t.equal(reply, 'wrong_password', `${email} is not locked out afterwards`);
    }
  });

  t.test(`a clock that is set back locks nobody out for longer than the rule says, on ${provider}`, async (t) => {
    for (const [budget, longest] of [
      ['emailAddress', 15 * 60],
      ['address', 3_600],
      ['email', 24 * 3_600],
    ] as const) {
      const { attempt, clock } = await start(t, provider, { emailAddress: 0, address: 0, email: 0, [budget]: 2 });
      for (let i = 0; i < 2; i += 1) await attempt('wrong_password', '192.0.2.1');
      clock.now -= 6 * HOUR;
      const { reply } = await attempt('succeeded', '192.0.2.1');
      const retryAfter = typeof reply === 'string' ? 0 : reply.retryAfter;
      t.ok(retryAfter > 0 && retryAfter <= longest, `${budget}: Retry-After: ${retryAfter}`);
      clock.now += retryAfter * SECOND;
      t.equal((await attempt('succeeded', '192.0.2.1')).reply, 'succeeded', 'and then the next try is let in');
    }
  });

  t.test(`unlocking forgives the failures of a user, not those of an address, on ${provider}`, async (t) => {
    const { attempt, clock, database, id } = await start(t, provider);
    const lockOut = async () => {
      for (let i = 0; i < 3; i += 1) await attempt('wrong_password', '192.0.2.1');
      t.match((await attempt('succeeded', '192.0.2.1')).reply, { status: 429 });
      t.equal((await attempt('wrong_password', '192.0.2.2')).reply, 'wrong_password');
      t.match((await attempt('succeeded', '192.0.2.3')).reply, { status: 429 }, 'the email’s own budget');
    };
    await lockOut();
    clock.now += SECOND;
    await unlock(database.users, { id }, new Date(clock.now));
    clock.now += SECOND;
    t.equal((await attempt('succeeded', '192.0.2.3')).reply, 'succeeded');
    t.equal((await attempt('succeeded', '192.0.2.1')).reply, 'succeeded');
    t.equal((await attempt('wrong_password', '192.0.2.1')).reply, 'wrong_password');
    for (let i = 0; i < 2; i += 1) await attempt('wrong_password', '192.0.2.1', `${i}@bar.com`);
    t.match((await attempt('wrong_password', '192.0.2.1', 'new@bar.com')).reply, { status: 429 }, 'the address’s stay');

    const again = await start(t, provider);
    await unlock(again.database.users, again, new Date(again.clock.now - 1));
    for (let i = 0; i < 3; i += 1) await again.attempt('wrong_password', '192.0.2.1');
    t.match((await again.attempt('succeeded', '192.0.2.1')).reply, { status: 429 }, 'later failures count');
  });

  t.test(`a new password unlocks, and forgets known addresses, on ${provider}`, async (t) => {
    const { attempt, clock, database, id, throttle, verified } = await start(t, provider);
    clock.now = Date.now() - SECOND;
    await attempt('succeeded', '192.0.2.1');
    await throttle.flush();
    for (let i = 0; i < 5; i += 1) await attempt('wrong_password', '192.0.2.1', `${i}@bar.com`);
    await setPassword(database.users, { id }, { passwordDigest: 'another digest', peppered: null });
    clock.now = Date.now() + SECOND;
    const before = verified();
    t.match((await attempt('succeeded', '192.0.2.1')).reply, { status: 429 }, 'the thief’s address is known no more');
    t.equal(verified(), before);
    t.equal((await attempt('succeeded', '192.0.2.9')).reply, 'succeeded');
  });

  t.test(`beyond the cap of a budget the oldest counters go that lock nobody out, on ${provider}`, async (t) => {
    const { attempt, clock, database } = await start(t, provider, { emailAddress: 2, address: 0, email: 0 });
    for (let i = 0; i < 2; i += 1) await attempt('wrong_password', '192.0.2.1');
    for (let i = 0; i < 20; i += 1) {
      clock.now += 1;
      await attempt('wrong_password', '192.0.2.1', `${i}@bar.com`);
    }
    const budgets = { emailAddress: 2, address: 0, email: 0 };
    await sweepCounters(database.throttleCounters, budgets, clock.now, { most: 5 });
    t.equal(await database.throttleCounters.countOf({ prefix: 'email-address:', limit: 2 }), 5);
    t.match((await attempt('succeeded', '192.0.2.1')).reply, { status: 429 }, 'a lockout stays');
    await attempt('wrong_password', '192.0.2.1', '19@bar.com');
    t.match((await attempt('succeeded', '192.0.2.1', '19@bar.com')).reply, { status: 429 }, 'so does the newest');
    await sweepCounters(database.throttleCounters, budgets, clock.now + 2 * DAY, { most: 5 });
    t.equal(await database.throttleCounters.countOf({ prefix: 'email-address:', limit: 2 }), 0, 'expired ones go');
  });
}

t.test('no more wait at a budget than may be in flight', async (t) => {
  const { attempt } = await start(t, 'sqlite');
  const replies = await Promise.all(Array.from({ length: 20 }, () => attempt('succeeded', '192.0.2.1')));
  const succeeded = replies.filter(({ reply }) => reply === 'succeeded').length;
  t.equal(succeeded, 2 * BUDGETS.emailAddress);
  t.same(
    replies.map(({ reply }) => reply).filter((reply) => reply !== 'succeeded'),
    Array(20 - succeeded).fill({ status: 503, retryAfter: 1 }),
  );
});
