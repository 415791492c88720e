import t from 'tap';
import { createKnownAddresses } from '#built/throttle/known-addresses.js';

/** A table that takes as long as the test lets it. */
function slowTable() {
  const stored: string[] = [];
  const waiting: (() => void)[] = [];
  const reset = async (rows: { key: string }[]) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    stored.push(...rows.map(({ key }) => key));
  };
  return { stored, reset, finish: () => waiting.shift()?.() };
}

t.test('an address that is remembered while others are stored is stored too', async (t) => {
  const { stored, reset, finish } = slowTable();
  const known = createKnownAddresses({ reset });
  known.remember('a', undefined, 1);
  const first = known.flush();
  await Promise.resolve();
  await Promise.resolve();
  t.ok(known.isKnown('a', undefined, 0, 1), 'and known until it is stored');
  known.remember('b', undefined, 1);
  const second = known.flush();
  finish();
  await first;
  t.same(stored, ['a']);
  t.notOk(known.isKnown('a', undefined, 0, 1), 'once it is stored, the database tells');
  t.ok(known.isKnown('b', undefined, 0, 1));
  while (stored.length < 2) {
    finish();
    await Promise.resolve();
  }
  await second;
  t.same(stored, ['a', 'b']);
});

t.test('after a failure they are stored at the next flush', async (t) => {
  let fails = true;
  const stored: string[] = [];
  const known = createKnownAddresses({
    async reset(rows) {
      if (fails) throw new Error('no answer');
      stored.push(...rows.map(({ key }) => key));
    },
  });
  known.remember('a', undefined, 1);
  await t.rejects(known.flush(), { message: 'no answer' });
  fails = false;
  await known.flush();
  t.same(stored, ['a']);
});
