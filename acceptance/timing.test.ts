/** Whether the time of a login tells which emails are known: 1,000 emails a side, medians of five tries. */
import t, { type Test } from 'tap';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { start } from '../test/support/executable.js';
import { FORM, send } from '../test/support/send.js';
import { UNTHROTTLED } from '../test/support/service.js';

const EMAILS = 1_000;
const TRIES = 5;
/** How far the area under the ROC curve may be from a coin's. */
const TOLERANCE = 0.03;

t.setTimeout(1_200_000);

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
    // By chance one measurement in fifty is out of bounds: its standard error is 0.013. Two in a row are not.
    let medians = await measure(t, service.url, [...known, ...unknown]);
    if (!isEven(medians)) medians = await measure(t, service.url, [...known, ...unknown]);
    const [ofKnown, ofUnknown] = medians;
    t.ok(isEven(medians), `area under the curve: ${areaUnderCurve(ofKnown, ofUnknown).toFixed(3)}`);
    const leaking = ofUnknown.map((time) => time * 0.9);
    t.notOk(isEven([ofKnown, leaking]), `with a planted leak: ${areaUnderCurve(ofKnown, leaking).toFixed(3)}`);
  });
}

type Medians = [ofKnown: number[], ofUnknown: number[]];

function isEven([ofKnown, ofUnknown]: Medians): boolean {
  return Math.abs(areaUnderCurve(ofKnown, ofUnknown) - 0.5) <= TOLERANCE;
}

/** @param emails - the known ones first */
async function measure(t: Test, url: string, emails: string[]): Promise<Medians> {
  const times = new Map<string, number[]>(emails.map((email) => [email, []]));
  for (let round = 0; round < TRIES; round += 1) {
    for (const email of shuffled(emails)) {
      const body = new URLSearchParams({ email, password: 'wrong' }).toString();
      const began = performance.now();
      const { status } = await send(url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
      times.get(email)?.push(performance.now() - began);
      if (status !== 401) t.fail(`answered ${status}`);
    }
  }
  const medians = emails.map((email) => (times.get(email) ?? []).sort((a, b) => a - b)[Math.floor(TRIES / 2)] ?? 0);
  return [medians.slice(0, EMAILS), medians.slice(EMAILS)];
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
