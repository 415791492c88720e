import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { createDeadline, within } from '#built/errors/deadline.js';

const tooLate = () => new Error('too late');

t.test('work that ends in time', async (t) => {
  const deadline = createDeadline(600_000);
  t.equal(await within(deadline, async () => 'done', tooLate), 'done');
  await t.rejects(
    within(deadline, () => Promise.reject(new Error('broken')), tooLate),
    { message: 'broken' },
  );
});

t.test('work that does not', async (t) => {
  await t.rejects(
    within(createDeadline(50), () => new Promise(() => {}), tooLate),
    { message: 'too late' },
  );
});

t.test('a failure after the deadline is handled', async (t) => {
  let fail = (_error: Error) => {};
  const failing = () => new Promise((_resolve, reject) => (fail = reject));
  await t.rejects(within(createDeadline(20), failing, tooLate), { message: 'too late' });
  fail(new Error('broken'));
  // Node.js reports a rejection that nobody handles before the next turn.
  await nextTurn();
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
  deadline.extend(600_000);
  t.equal(await within(deadline, async () => 'done', tooLate), 'done');
});
