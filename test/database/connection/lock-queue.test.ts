import { mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createLockQueue } from '#built/database/connection/lock-queue.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createDeadline } from '#built/errors/deadline.js';
import { lockSqlite } from '../../support/lock-sqlite.js';

const busy = new Error('database is locked');
const range = (length: number) => Array.from({ length }, (_, number) => number);

/** Stops the clock of the timers. Returns a function that lets time pass, until the next query has its turn. */
function stopTimers(t: Test): () => Promise<void> {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  t.teardown(() => mock.timers.reset());
  return async () => {
    mock.timers.tick(10);
    await nextTurn();
  };
}

t.test('one query at a time tries again, in the order in which they came', async (t) => {
  const letTimePass = stopTimers(t);
  const queue = createLockQueue();
  const tries: number[] = [];
  for (const name of range(5)) queue.wait(busy, createDeadline(600_000)).then(() => tries.push(name));
  for (const number of range(6)) {
    t.same(tries, range(number));
    await letTimePass();
  }
});

t.test('as soon as one gets the lock so do the others', async (t) => {
  const letTimePass = stopTimers(t);
  const queue = createLockQueue();
  const getLock = async () => {
    await queue.wait(busy, createDeadline(600_000));
    queue.proceed();
  };
  const all = Promise.all(range(300).map(getLock));
  await letTimePass();
  await all;
});

t.test('a query leaves at its deadline', async (t) => {
  const letTimePass = stopTimers(t);
  const queue = createLockQueue();
  const locked = range(20).map(() => queue.wait(busy, createDeadline(600_000)));
  const late = t.rejects(queue.wait(busy, createDeadline(10)), busy);
  await letTimePass();
  await late;
  for (const _ of range(20)) await letTimePass();
  await Promise.all(locked);
  await t.rejects(queue.wait(busy, createDeadline(0)), busy, 'at once where it has passed');
});

t.test('writes that wait for another process’s lock', async (t) => {
  const file = `${t.testdir()}/sessions.db`;
  const url = { provider: 'sqlite' as const, file };
  await migrate(url);
  const database = await openDatabase(url);
  t.teardown(() => database.close());
  const count = (number: number, milliseconds: number) =>
    database.throttleCounters.countFailure(
      [{ key: `key-${number}`, extends: false, expiresAt: 2_000, restartsUntil: 1_000 }],
      createDeadline(milliseconds),
    );
  const unlock = lockSqlite(file);
  const inTime = Promise.all(range(100).map((number) => count(number, 600_000)));
  await t.rejects(count(100, 100), { message: /does not answer/, status: 503 });
  unlock();
  await inTime;
});
