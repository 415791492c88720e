import t, { type Test } from 'tap';
import { NO_PASSWORD } from '#built/database/users.js';
import { createPasswords, type Passwords } from '#built/passwords/passwords.js';
import { FORM, send } from '../support/send.js';
import { startService, UNTHROTTLED } from '../support/service.js';

const LOGINS = 300;

/**
 * The probability that a login of one kind took longer than one of the other (the Mann-Whitney U statistic divided by the
 * number of pairs): 0.5 where time tells nothing, 0 or 1 where it tells all.
 */
function probabilityOfLonger(one: number[], other: number[]): number {
  const wins = one.flatMap((a) => other.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)));
  return wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
}

/** With 300 logins of each kind its standard error is 0.024; this is four of them. */
const THRESHOLD = 0.1;

const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });
const argon2id = createPasswords({ algorithm: 'argon2id' });
/** The password of the logins whose email is unknown, and of them alone. */
const UNKNOWN_PASSWORD = 'another';

/** Milliseconds of logins that fail for each reason, interleaved in an order that changes. */
async function measure(t: Test, passwords: Passwords) {
  const service = await startService(t, 'sqlite', { env: UNTHROTTLED, passwords });
  const details = {
    unknown: `email=nobody%40bar.com&password=${UNKNOWN_PASSWORD}`,
    wrong: 'email=foo%40bar.com&password=barfoo',
    disabled: 'email=gone%40bar.com&password=foobar',
    passwordless: 'email=none%40bar.com&password=foobar',
  };
  const digest = await bcrypt.hash('foobar');
  await service.addUser('zoe@bar.com', UNKNOWN_PASSWORD, await bcrypt.hash(UNKNOWN_PASSWORD));
  await service.addUser('foo@bar.com', 'foobar', digest);
  await service.disableUser(await service.addUser('gone@bar.com', 'foobar', digest));
  await service.addUser('none@bar.com', '', NO_PASSWORD);

  const kinds = ['unknown', 'wrong', 'disabled', 'passwordless'] as const;
  const none: number[] = [];
  const durations = { unknown: [...none], wrong: [...none], disabled: [...none], passwordless: [...none] };
  const bodies = new Set<string>();
  for (let round = -20; round < LOGINS; round += 1) {
    for (const index of kinds.keys()) {
      const kind = kinds[(index + Math.abs(round)) % kinds.length] ?? 'unknown';
      const started = performance.now();
      const reply = await send(service.url, {
        method: 'POST',
        path: '/api/v1/sessions',
        headers: FORM,
        body: details[kind],
      });
      const duration = performance.now() - started;
      bodies.add(`${reply.status} ${reply.body}`);
      if (round >= 0) durations[kind].push(duration); // The first rounds warm up.
    }
  }
  t.same([...bodies], ['401 {"message":"Invalid credentials"}'], 'the same bytes');
  return durations;
}

for (const [what, passwords] of Object.entries({ current: bcrypt, 'another system’s': argon2id })) {
  t.test(`time does not tell why a login failed, where digests are of the form that is ${what}`, async (t) => {
    const { unknown, wrong, disabled, passwordless } = await measure(t, passwords);
    for (const [pair, one, other] of [
      ['unknown and wrong', unknown, wrong],
      ['wrong and disabled', wrong, disabled],
      ['unknown and disabled', unknown, disabled],
      ['wrong and passwordless', wrong, passwordless],
    ] as const) {
      const probability = probabilityOfLonger(one, other);
      t.ok(Math.abs(probability - 0.5) < THRESHOLD, `${pair}: ${probability.toFixed(3)}`);
    }
  });
}

t.test('the same statistic tells a service that hashes nothing for an unknown email', async (t) => {
  const careless: Passwords = {
    ...bcrypt,
    verify: async (password, digest) => password !== UNKNOWN_PASSWORD && bcrypt.verify(password, digest),
  };
  const { unknown, wrong } = await measure(t, careless);
  const probability = probabilityOfLonger(wrong, unknown);
  t.ok(Math.abs(probability - 0.5) > THRESHOLD, probability.toFixed(3));
});
