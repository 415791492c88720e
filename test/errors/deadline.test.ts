import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { createDeadline, within } from '#built/errors/deadline.js';

const tooLate = () => new Error('too late');

t.test('work that ends in time', async (t) => {
  const deadline = createDeadline(10_000);
  t.equal(await within(deadline, async () => 'done', tooLate), 'done');
  await t.rejects(
    within(deadline, () => Promise.reject(new Error('broken')), tooLate),
    { message: 'broken' },
  );
});

t.test('work that does not', async (t) => {
  const started = performance.now();
  await t.rejects(
    within(createDeadline(50), () => new Promise(() => {}), tooLate),
    { message: 'too late' },
  );
  const took = performance.now() - started;
  t.ok(took >= 49 && took < 2_000, `rejected after ${took.toFixed(0)} ms`);
});

t.test('a failure after the deadline is handled', async (t) => {
  const failing = async () => {
    await wait(60);
    throw new Error('broken');
  };
  await t.rejects(within(createDeadline(20), failing, tooLate), { message: 'too late' });
  await wait(100);
});

t.test('work is not started after the deadline', async (t) => {
  let started = false;
  const work = async () => {
    started = true;
  };
  await t.rejects(within(createDeadline(0), work, tooLate), { message: 'too late' });
  t.notOk(started);
});

t.test('a deadline that is extended', async (t) => {
  const deadline = createDeadline(0);
  deadline.extend(10_000);
  const remaining = deadline.remaining();
  t.ok(remaining > 5_000 && remaining <= 10_000);
  t.equal(await within(deadline, async () => 'done', tooLate), 'done');
});
