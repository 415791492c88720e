import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { createLockQueue } from '#built/database/connection/lock-queue.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createDeadline } from '#built/errors/deadline.js';
import { lockSqlite } from '../../support/lock-sqlite.js';

const busy = new Error('database is locked');
const range = (length: number) => Array.from({ length }, (_, number) => number);

t.test('one query at a time tries again, in the order in which they came', async (t) => {
  const queue = createLockQueue();
  const tries: { name: number; at: number }[] = [];
  await Promise.all(
    range(5).map(async (name) => {
      await queue.wait(busy, createDeadline(10_000));
      tries.push({ name, at: performance.now() });
    }),
  );
  t.same(
    tries.map(({ name }) => name),
    range(5),
  );
  const took = (tries.at(-1)?.at ?? 0) - (tries[0]?.at ?? 0);
  t.ok(took >= 20, `five tries in ${took.toFixed(0)} ms`);
});

t.test('as soon as one gets the lock so do the others', async (t) => {
  const queue = createLockQueue();
  const started = performance.now();
  const getLock = async () => {
    await queue.wait(busy, createDeadline(10_000));
    queue.proceed();
  };
  await Promise.all(range(300).map(getLock));
  const took = performance.now() - started;
  t.ok(took < 1_500, `300 queries in ${took.toFixed(0)} ms`);
});

t.test('a query leaves at its deadline', async (t) => {
  const queue = createLockQueue();
  const locked = range(20).map(() => queue.wait(busy, createDeadline(10_000)));
  const started = performance.now();
  await t.rejects(queue.wait(busy, createDeadline(50)), busy);
  const waited = performance.now() - started;
  t.ok(waited >= 49 && waited < 2_000, `left after ${waited.toFixed(0)} ms`);
  await Promise.all(locked);
  await queue.wait(busy, createDeadline(10_000));
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
  const late = count(0, 100).catch((error) => error);
  const inTime = Promise.all(range(100).map((number) => count(number, 10_000)));
  await wait(300);
  unlock();
  t.match(await late, { message: /does not answer/, status: 503 });
  await inTime;
});
