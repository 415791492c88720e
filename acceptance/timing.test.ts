/** Whether the time of a login tells which emails are known, or why it failed: medians of five tries for each email. */
import t, { type Test } from 'tap';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { NO_PASSWORD, type StoredDigest } from '#built/database/users.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { start } from '../test/support/executable.js';
import { FORM, send } from '../test/support/send.js';
import { UNTHROTTLED } from '../test/support/service.js';
import { storedDigest } from '../test/support/stored-digest.js';

const TRIES = 5;
/** Emails of a kind, and how far the area under the ROC curve may be from a coin's: over two standard errors, 0.013 and 0.041. */
const MANY = { emails: 1_000, tolerance: 0.03 };
const FEW = { emails: 100, tolerance: 0.1 };

t.setTimeout(1_200_000);

const bcrypt = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash('foobar');
/** Takes four times as long. */
const other = await createPasswords({ algorithm: 'bcrypt', cost: 6 }).hash('foobar');
const FORMS = {
  'one form': () => bcrypt,
  'mixed forms': (i: number) => (i % 2 ? other : bcrypt),
};

type Added = { email: string; digest: StoredDigest; disabledAt?: Date };

const emailsOf = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind}${i}@bar.com`);

/** Starts the service with some users, and returns its URL. */
async function startWith(t: Test, added: Added[], hashing = 'bcrypt'): Promise<string> {
  const cwd = t.testdir();
  const file = `${cwd}/sessions.db`;
  await migrate({ provider: 'sqlite', file });
  const { users, close } = await openDatabase({ provider: 'sqlite', file });
  for (const { email, digest, disabledAt } of added) {
    const { id } = await users.add(email, digest);
    if (disabledAt) await users.update(id, { disabledAt });
  }
  t.equal(await users.count(), added.length);
  await close();
  const env = { DATABASE_URL: `file:${file}`, PASSWORD_HASHING: hashing, BCRYPT_COST: '4', ...UNTHROTTLED };
  return (await start(t, { cwd, env })).url;
}

for (const [forms, digestOf] of Object.entries(FORMS)) {
  t.test(`unknown emails cost what known ones cost, with ${forms}`, async (t) => {
    const known = emailsOf('user', MANY.emails);
    const url = await startWith(
      t,
      known.map((email, i) => ({ email, digest: digestOf(i) })),
    );
    // The next in the alphabet.
    await compare(t, url, known, { unknown: known.map((email) => `${email}!`) }, MANY.tolerance);
  });
}

for (const hashing of ['bcrypt', 'argon2id']) {
  t.test(`logins fail alike for each reason, with digests of bcrypt and ${hashing} for new ones`, async (t) => {
    const of = (kind: string) => emailsOf(kind, FEW.emails);
    const wrong = of('wrong');
    const others = { unknown: of('unknown'), disabled: of('disabled'), passwordless: of('none') };
    const disabledAt = new Date();
    const url = await startWith(
      t,
      [
        ...wrong.map((email) => ({ email, digest: bcrypt })),
        ...others.disabled.map((email) => ({ email, digest: bcrypt, disabledAt })),
        ...others.passwordless.map((email) => ({ email, digest: storedDigest(NO_PASSWORD) })),
      ],
      hashing,
    );
    await compare(t, url, wrong, others, FEW.tolerance);
  });
}

/** Compares the time of logins with a wrong password with that of others. */
async function compare(
  t: Test,
  url: string,
  wrong: string[],
  others: { [kind: string]: string[] },
  tolerance: number,
): Promise<void> {
  const emails = [wrong, ...Object.values(others)].flat();
  let medians = await measure(t, url, emails);
  const timesOf = (kind: string[]) => kind.map((email) => medians.get(email) ?? Number.NaN);
  const areaOf = (kind: string[]) => areaUnderCurve(timesOf(wrong), timesOf(kind));
  const isEven = (area: number) => Math.abs(area - 0.5) <= tolerance;
  // By chance one in fifty is out of bounds. Two in a row are not.
  if (!Object.values(others).map(areaOf).every(isEven)) medians = await measure(t, url, emails);
  for (const [kind, of] of Object.entries(others)) t.ok(isEven(areaOf(of)), `${kind}: ${areaOf(of).toFixed(3)}`);
  // A hash is half of the time.
  const unhashed = timesOf(wrong).map((time) => time * 0.7);
  const leak = areaUnderCurve(timesOf(wrong), unhashed);
  t.notOk(isEven(leak), `with a planted leak: ${leak.toFixed(3)}`);
}

/** The median of the milliseconds of each email’s logins, in an order that changes. */
async function measure(t: Test, url: string, emails: string[]): Promise<Map<string, number>> {
  const times = new Map<string, number[]>(emails.map((email) => [email, []]));
  const bodies = new Set<string>();
  for (let round = 0; round < TRIES; round += 1) {
    for (const email of shuffled(emails)) {
      const form = new URLSearchParams({ email, password: 'wrong' }).toString();
      const began = performance.now();
      const { status, body } = await send(url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body: form });
      times.get(email)?.push(performance.now() - began);
      bodies.add(`${status} ${body}`);
    }
  }
  t.same([...bodies], ['401 {"message":"Invalid credentials"}'], 'the same bytes');
  return new Map(
    [...times].map(([email, each]) => [email, each.sort((a, b) => a - b)[Math.floor(TRIES / 2)] ?? Number.NaN]),
  );
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
