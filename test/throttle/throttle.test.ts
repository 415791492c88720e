import t from 'tap';
import type { Count } from '#built/database/throttle-counters.js';
import { createDeadline } from '#built/errors/deadline.js';
import { deriveKey } from '#built/throttle/keys.js';
import { createThrottle } from '#built/throttle/throttle.js';
import { attempt } from '../support/attempt.js';
import { SECRET } from '../support/service.js';

const nothing = async () => {};
const countFailure = async () => new Map();
const throttleCounters = { countFailure, reset: nothing, remove: nothing };
const find = async () => ({ counters: new Map(), unlockedAt: 0, passwordChangedAt: 0 });

const who = () => ({ email: 'foo@bar.com', address: '192.0.2.1', deadline: createDeadline(60_000) });
const succeed = async () => 'succeeded';
const fail = async () => 'wrong_password';

t.test('an attempt that fails to read its counters is closed', async (t) => {
  const throttle = createThrottle(
    throttleCounters,
    { emailAddress: 1, address: 0, email: 0 },
    deriveKey(SECRET),
    Date.now,
  );
  await t.rejects(
    attempt(throttle, who(), () => Promise.reject(new Error('no answer')), succeed),
    { message: 'no answer' },
  );
  t.equal(await attempt(throttle, who(), find, succeed), 'succeeded');
});

t.test('an attempt whose verification throws is closed, and not counted', async (t) => {
  let counted = 0;
  const counting = {
    ...throttleCounters,
    async countFailure() {
      counted += 1;
      return new Map();
    },
  };
  const throttle = createThrottle(counting, { emailAddress: 1, address: 0, email: 0 }, deriveKey(SECRET), Date.now);
  await t.rejects(attempt(throttle, who(), find, () => Promise.reject(new Error('overloaded'))));
  t.equal(counted, 0);
  t.equal(await attempt(throttle, who(), find, succeed), 'succeeded', 'the next one is not kept waiting');
  await attempt(throttle, who(), find, fail);
  t.equal(counted, 1);
});

t.test('an attempt that has waited is judged by what has failed since its counters were read', async (t) => {
  let failures = 0;
  const counting = {
    ...throttleCounters,
    async countFailure([count]: Count[]) {
      failures += 1;
      return new Map([[count?.key ?? '', { failures, expiresAt: count?.expiresAt ?? 0 }]]);
    },
  };
  const throttle = createThrottle(counting, { emailAddress: 2, address: 0, email: 0 }, deriveKey(SECRET), Date.now);
  const verified: string[] = [];
  const guess = (name: string) =>
    attempt(throttle, who(), find, async () => {
      verified.push(name);
      return 'wrong_password';
    });
  const guesses = await Promise.allSettled(['a', 'b', 'c', 'd'].map(guess));
  t.same(verified, ['a', 'b'], 'the others had read the same counters');
  t.match(guesses.slice(2), Array(2).fill({ status: 'rejected', reason: { status: 429 } }));
});

t.test('logins of known addresses take no room from the others behind an address', async (t) => {
  const budgets = { emailAddress: 2, address: 1, email: 0 };
  const throttle = createThrottle(throttleCounters, budgets, deriveKey(SECRET), Date.now);
  await attempt(throttle, who(), find, succeed);
  let finish = () => {};
  const hashed = new Promise<string>((resolve) => {
    finish = () => resolve('succeeded');
  });
  const known = attempt(throttle, who(), find, () => hashed);
  t.equal(await attempt(throttle, { ...who(), email: 'new@bar.com' }, find, succeed), 'succeeded');
  finish();
  t.equal(await known, 'succeeded');
});

t.test('replies of the database that overtake each other', async (t) => {
  const replies = [
    { failures: 2, expiresAt: 1_000 },
    { failures: 1, expiresAt: 1_001 },
  ];
  const counting = {
    ...throttleCounters,
    countFailure: async ([count]: Count[]) =>
      new Map([[count?.key ?? '', replies.shift() ?? { failures: 3, expiresAt: 1_000 }]]),
  };
  const throttle = createThrottle(counting, { emailAddress: 0, address: 0, email: 2 }, deriveKey(SECRET), () => 0);
  const guesses = await Promise.allSettled(Array.from({ length: 4 }, () => attempt(throttle, who(), find, fail)));
  t.equal(guesses.filter(({ status }) => status === 'fulfilled').length, 2, 'the one with more failures counts');
});
