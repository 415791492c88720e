/** Who is locked out, by what he may tell, and how a lockout ends. */
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createDeadline } from '#built/errors/deadline.js';
import { deriveKey } from '#built/throttle/keys.js';
import { createThrottle } from '#built/throttle/throttle.js';
import { updateUser } from '#built/users/update-user.js';
import { attempt } from '../support/attempt.js';
import { createDatabase, SECRET } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const BUDGETS = { emailAddress: 3, address: 5, email: 4 };

/** A throttle on a real database, with a clock that the test moves. */
async function start(t: Test, provider: Provider, budgets = BUDGETS) {
  const env = { DATABASE_URL: await createDatabase(t, provider), JWT_SECRET: SECRET };
  const { databaseUrl } = readConfig(env, { issuesTokens: true });
  await migrate(databaseUrl);
  const database = await openDatabase(databaseUrl);
  t.teardown(() => database.close());
  const id = (await database.users.add('foo@bar.com', storedDigest('a digest'))).id;
  const clock = { now: Date.now() };
  const throttle = createThrottle(database.throttleCounters, budgets, deriveKey(SECRET), () => clock.now);
  let verified = 0;
  /** Returns the outcome, or the failure with which it was refused. */
  const tryTo = (outcome: 'succeeded' | 'wrong_password', address: string, email = 'foo@bar.com') => {
    const deadline = createDeadline(60_000);
    return attempt(
      throttle,
      { email, address, deadline },
      (counterKeys) => database.findForLogin({ email, counterKeys }, deadline),
      async () => {
        verified += 1;
        return outcome;
      },
    ).catch((error) => ({ status: error.status, retryAfter: error.retryAfterSeconds }));
  };
  return { database, id, clock, throttle, tryTo, verified: () => verified };
}

t.test('a guess is counted whose time is up once it has been hashed', async (t) => {
  const { database, throttle, clock } = await start(t, 'sqlite', { emailAddress: 1, address: 0, email: 0 });
  const guess = async () => {
    let remaining = 60_000;
    const deadline = {
      remaining: () => remaining,
      extend(more: number) {
        remaining += more;
      },
    };
    const email = 'foo@bar.com';
    return attempt(
      throttle,
      { email, address: '192.0.2.1', deadline },
      (counterKeys) => database.findForLogin({ email, counterKeys }, deadline),
      async () => {
        remaining = -1;
        return 'wrong_password';
      },
    );
  };
  t.equal(await guess(), 'wrong_password');
  t.match(await guess().catch((error) => error), { status: 429 });
  clock.now += DAY;
  t.equal(await guess(), 'wrong_password');
});

for (const provider of PROVIDERS) {
  t.test(`over an address’s budget a known address has its own, on ${provider}`, async (t) => {
    const { tryTo, throttle, verified, clock } = await start(t, provider);
    await tryTo('succeeded', '192.0.2.1');
    await throttle.flush();
    for (let i = 0; i < BUDGETS.address; i += 1) await tryTo('wrong_password', '192.0.2.1', `${i}@bar.com`);

    const before = verified();
    const known = await tryTo('wrong_password', '192.0.2.1');
    t.equal(verified(), before + 1, 'the password of a known address is verified');
    const other = await tryTo('wrong_password', '192.0.2.1', 'other@bar.com');
    t.equal(verified(), before + 1, 'that of another is not');
    t.match(known, { status: 429 });
    t.same(other, known, 'a wrong password gets the reply of the others');
    t.equal(await tryTo('succeeded', '192.0.2.1'), 'succeeded', 'the right one is let in');

    const guesses = Array.from({ length: 2 * BUDGETS.emailAddress }, () => tryTo('wrong_password', '192.0.2.1'));
    t.same(
      await Promise.all(guesses),
      guesses.map(() => other),
      'guesses at once get it too',
    );
    t.equal(verified(), before + 2 + BUDGETS.emailAddress, 'within the own budget');
    t.same(await tryTo('succeeded', '192.0.2.1'), other, 'also once that is used up');
    clock.now += HOUR;
    t.equal(await tryTo('succeeded', '192.0.2.1'), 'succeeded');
  });

  t.test(`failures that a clock counted before it was set back do not count, on ${provider}`, async (t) => {
    for (const [budget, longest] of [
      ['emailAddress', 15 * 60],
      ['address', 3_600],
      ['email', 24 * 3_600],
    ] as const) {
      const { tryTo, clock } = await start(t, provider, { emailAddress: 0, address: 0, email: 0, [budget]: 2 });
      for (let i = 0; i < 2; i += 1) await tryTo('wrong_password', '192.0.2.1');
      t.match(await tryTo('succeeded', '192.0.2.1'), { status: 429 }, budget);
      clock.now -= 6 * HOUR;
      t.equal(await tryTo('wrong_password', '192.0.2.1'), 'wrong_password', budget);
      const refused = await tryTo('succeeded', '192.0.2.1');
      t.match(refused, { status: 429 }, 'until the next failure');
      t.ok(typeof refused === 'object' && refused.retryAfter <= longest);
    }
  });

  t.test(`unlocking forgives the failures of a user, not those of an address, on ${provider}`, async (t) => {
    const { tryTo, clock, database, id } = await start(t, provider);
    const lockOut = async () => {
      for (let i = 0; i < 3; i += 1) await tryTo('wrong_password', '192.0.2.1');
      t.match(await tryTo('succeeded', '192.0.2.1'), { status: 429 });
      t.equal(await tryTo('wrong_password', '192.0.2.2'), 'wrong_password');
      t.match(await tryTo('succeeded', '192.0.2.3'), { status: 429 }, 'the email’s own budget');
    };
    await lockOut();
    clock.now += SECOND;
    await updateUser(database.users, id, { unlocked: true }, { at: new Date(clock.now) });
    clock.now += SECOND;
    t.equal(await tryTo('succeeded', '192.0.2.3'), 'succeeded');
    t.equal(await tryTo('succeeded', '192.0.2.1'), 'succeeded');
    t.equal(await tryTo('wrong_password', '192.0.2.1'), 'wrong_password');
    for (let i = 0; i < 2; i += 1) await tryTo('wrong_password', '192.0.2.1', `${i}@bar.com`);
    t.match(await tryTo('wrong_password', '192.0.2.1', 'new@bar.com'), { status: 429 }, 'the address’s stay');

    const again = await start(t, provider);
    await updateUser(again.database.users, again.id, { unlocked: true }, { at: new Date(again.clock.now - 1) });
    for (let i = 0; i < 3; i += 1) await again.tryTo('wrong_password', '192.0.2.1');
    t.match(await again.tryTo('succeeded', '192.0.2.1'), { status: 429 }, 'later failures count');
  });

  t.test(`a new password unlocks, and forgets known addresses, on ${provider}`, async (t) => {
    const { tryTo, clock, database, id, throttle, verified } = await start(t, provider);
    clock.now = Date.now() - SECOND;
    await tryTo('succeeded', '192.0.2.1');
    await throttle.flush();
    for (let i = 0; i < 5; i += 1) await tryTo('wrong_password', '192.0.2.1', `${i}@bar.com`);
    await updateUser(database.users, id, { digest: storedDigest('another digest') });
    clock.now = Date.now() + SECOND;
    const before = verified();
    t.match(await tryTo('succeeded', '192.0.2.1'), { status: 429 }, 'the thief’s address is known no more');
    t.equal(verified(), before);
    t.equal(await tryTo('succeeded', '192.0.2.9'), 'succeeded');
  });
}
