/** Whether the time of a login tells which emails are known: 1,000 emails a side, medians of ten tries. */
import t from 'tap';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrate.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { start } from '../test/support/executable.js';
import { FORM, send } from '../test/support/send.js';
import { UNTHROTTLED } from '../test/support/service.js';

const EMAILS = 1_000;
const TRIES = 10;
/** How far the area under the ROC curve may be from a coin's. */
const TOLERANCE = 0.03;

t.setTimeout(900_000);

const FORMS = {
  'one form': () => bcrypt,
  'mixed forms': (i: number) => (i % 2 ? argon2id : bcrypt),
};
const bcrypt = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash('foobar');
const argon2id = await createPasswords({ algorithm: 'argon2id' }).hash('foobar');

for (const [forms, digestOf] of Object.entries(FORMS)) {
  t.test(`unknown emails cost what known ones cost, with ${forms}`, async (t) => {
    const file = `${t.testdir()}/sessions.db`;
    await migrate({ provider: 'sqlite', file });
    const { users, close } = await openDatabase({ provider: 'sqlite', file });
    const known = Array.from({ length: EMAILS }, (_, i) => `user${i}@bar.com`);
    for (const [i, email] of known.entries()) await users.add(email, digestOf(i));
    await close();
    const env = { DATABASE_URL: `file:${file}`, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
    const service = await start(t, { cwd: t.testdir(), env: { ...env, ...UNTHROTTLED } });
    // The next in the alphabet.
    const unknown = known.map((email) => `${email}!`);
    const emails = [...known, ...unknown];
    const times = new Map<string, number[]>(emails.map((email) => [email, []]));
    for (let round = 0; round < TRIES; round += 1) {
      for (const email of shuffled(emails)) {
        const body = new URLSearchParams({ email, password: 'wrong' }).toString();
        const began = performance.now();
        const { status } = await send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
        times.get(email)?.push(performance.now() - began);
        if (status !== 401) t.fail(`answered ${status}`);
      }
    }
    const median = (email: string) => (times.get(email) ?? []).sort((a, b) => a - b)[TRIES / 2] ?? 0;
    const [ofKnown, ofUnknown] = [known.map(median), unknown.map(median)];
    const area = areaUnderCurve(ofKnown, ofUnknown);
    t.ok(Math.abs(area - 0.5) <= TOLERANCE, `area under the curve: ${area.toFixed(3)}`);
    const leaked = areaUnderCurve(
      ofKnown,
      ofUnknown.map((time) => time * 0.9),
    );
    t.ok(Math.abs(leaked - 0.5) > TOLERANCE, `with a planted leak: ${leaked.toFixed(3)}`);
  });
}

/** The chance that one of the first is larger than one of the others (Mann and Whitney's U, normalized). */
function areaUnderCurve(first: number[], others: number[]): number {
  const sorted = others.toSorted((a, b) => a - b);
  let below = 0;
  for (const value of first) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    below += low;
  }
  return below / (first.length * sorted.length);
}

function shuffled<T>(values: T[]): T[] {
  return values
    .map((value) => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value);
}
