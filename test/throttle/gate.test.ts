import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { createDeadline } from '#built/errors/deadline.js';
import { Overloaded } from '#built/errors/overloaded.js';
import { createGate, type Gate } from '#built/throttle/gate.js';

/** Attempts that want the only place that is left under a key; three may wait for it. */
function attempt(milliseconds: number) {
  return {
    places: [{ key: 'foo@bar.com', limit: 3 }],
    deadline: createDeadline(milliseconds),
    read: async () => undefined,
    roomFor: () => [1],
  };
}

/** Takes the place until it is told to leave. */
async function occupy(gate: Gate) {
  let leave = () => {};
  const untilLeft = new Promise<void>((resolve) => {
    leave = resolve;
  });
  await new Promise<void>((entered) => {
    gate.pass(attempt(10_000), () => {
      entered();
      return untilLeft;
    });
  });
  return leave;
}

t.test('an attempt that waits leaves at its deadline, and is not woken any more', async (t) => {
  const gate = createGate();
  const leave = await occupy(gate);
  const started = performance.now();
  const [one, impatient, other] = [10_000, 50, 10_000].map((milliseconds) =>
    gate.pass(attempt(milliseconds), async () => 'passed'),
  );
  const error = await impatient?.catch((error) => error);
  t.ok(error instanceof Overloaded);
  const waited = performance.now() - started;
  t.ok(waited >= 49 && waited < 2_000, `left after ${waited.toFixed(0)} ms`);
  leave();
  t.same(await Promise.all([one, other]), ['passed', 'passed'], 'the others are');
});

t.test('an attempt whose deadline passes when it is woken wakes the next', async (t) => {
  const gate = createGate();
  const leave = await occupy(gate);
  let reads = 0;
  const late = {
    ...attempt(10_000),
    async read() {
      reads += 1;
      if (reads === 2) throw new Error('no answer in time');
    },
  };
  const failing = gate.pass(late, async () => t.fail('it has not been admitted'));
  const next = gate.pass(attempt(10_000), async () => 'passed');
  // Until both wait.
  await setImmediate();
  leave();
  await t.rejects(failing, { message: 'no answer in time' });
  t.equal(await next, 'passed');
});
