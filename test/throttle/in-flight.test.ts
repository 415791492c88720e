import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { createDeadline } from '#built/errors/deadline.js';
import { Overloaded } from '#built/errors/overloaded.js';
import { startOnceThereIsRoom, startWaiting, type Tally } from '#built/throttle/in-flight.js';

const PATIENT = 60_000;

/** Attempts under keys with room for one each. */
function createKeys() {
  const started: string[] = [];
  const newTally = (): Tally => ({ begun: 0, inFlight: 0, waiting: new Set() });
  async function start(name: string, tallies: Tally[], milliseconds = PATIENT, isRefused = () => false) {
    const tryToStart = () => {
      if (isRefused()) throw new Error('refused');
      const full = tallies.find(({ inFlight }) => inFlight > 0);
      if (full) return full;
      for (const tally of tallies) tally.inFlight += 1;
      started.push(name);
      return undefined;
    };
    await startOnceThereIsRoom(tryToStart, createDeadline(milliseconds));
    return () => {
      for (const tally of tallies) tally.inFlight -= 1;
      for (const tally of tallies) startWaiting(tally);
    };
  }
  return { started, newTally, start };
}

t.test('attempts under one key start in their order', async (t) => {
  const { started, newTally, start } = createKeys();
  const key = newTally();
  const end = await start('a', [key]);
  const others = ['b', 'c', 'd'].map((name) => start(name, [key]));
  await setImmediate();
  t.same(started, ['a']);
  end();
  for (const other of others) {
    const endOther = await other;
    await setImmediate();
    endOther();
  }
  t.same(started, ['a', 'b', 'c', 'd']);
  t.equal(key.waiting.size, 0);
});

t.test('an attempt that waits for another key holds up nobody', async (t) => {
  const { started, newTally, start } = createKeys();
  const [address, email] = [newTally(), newTally()];
  const [endAddress, endEmail] = [await start('address', [address]), await start('email', [email])];
  const both = start('both', [address, email]);
  const next = start('next', [address]);
  endAddress();
  const endNext = await next;
  t.same(started, ['address', 'email', 'next']);
  endEmail();
  await setImmediate();
  t.same(started, ['address', 'email', 'next'], 'there is room under one of its keys only');
  endNext();
  await both;
  t.same(started, ['address', 'email', 'next', 'both'], 'once');
});

t.test('an attempt that waits leaves at its deadline, and is not started any more', async (t) => {
  const { started, newTally, start } = createKeys();
  const key = newTally();
  const end = await start('a', [key]);
  const impatient = start('impatient', [key], 1);
  const patient = start('patient', [key]);
  t.ok((await impatient.catch((error) => error)) instanceof Overloaded);
  end();
  await patient;
  t.same(started, ['a', 'patient']);
});

t.test('an attempt that is refused while it waits leaves its turn to the next', async (t) => {
  const { started, newTally, start } = createKeys();
  const key = newTally();
  const end = await start('a', [key]);
  let isRefused = false;
  const refused = start('refused', [key], PATIENT, () => isRefused);
  const next = start('next', [key]);
  isRefused = true;
  end();
  await t.rejects(refused, { message: 'refused' });
  await next;
  t.same(started, ['a', 'next']);
});

t.test('at each end, only those who start and the first who waits on are judged', async (t) => {
  const { newTally, start } = createKeys();
  const key = newTally();
  let end = await start('first', [key]);
  let judged = 0;
  const count = () => {
    judged += 1;
    return false;
  };
  const waiting = Array.from({ length: 100 }, (_, index) => start(String(index), [key], PATIENT, count));
  judged = 0;
  for (const next of waiting) {
    end();
    end = await next;
  }
  t.ok(judged <= 2 * waiting.length, `${judged} times`);
});
