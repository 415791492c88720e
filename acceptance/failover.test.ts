/** The set-up of docs/failover.md with Patroni and HAProxy: nodes that die under logins and changes of passwords. */
import { writeFile } from 'node:fs/promises';
import t from 'tap';
import { createPasswords } from '#built/passwords/passwords.js';
import { type Options, type Running, run, stop } from '../test/support/executable.js';
import { HIGH_BUDGETS, SECRET } from '../test/support/service.js';
import { CHEAP, keepLoggingIn, login, startWithUser } from '../test/support/steady-logins.js';
import { noPatroni, startCluster, until } from './patroni.js';

/** More than can be changed in this time: each user's password is changed once. */
const USERS = 1_000;
/** Milliseconds. */
const LOGINS_WITHIN = 5_000;
const ANSWERED_WITHIN = 3_000;

t.setTimeout(400_000);

const emailOf = (user: number) => `user${user}@bar.com`;
const OLD = 'the old password';
const newPasswordOf = (user: number) => `the new password of ${user}`;

async function importUsers(options: Options): Promise<void> {
  const { passwordDigest } = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash(OLD);
  const lines = Array.from({ length: USERS }, (_, user) =>
    JSON.stringify({ email: emailOf(user), password_digest: passwordDigest }),
  );
  await writeFile(`${options.cwd}/users.jsonl`, lines.join('\n'));
  const { code, stderr } = await run(['users', 'import', 'users.jsonl'], options);
  if (code !== 0) throw new Error(stderr);
}

/** Changes the password of one user after the other, until it is stopped. */
function keepChangingPasswords({ url }: Running, options: Options) {
  const acknowledged: number[] = [];
  const unknown: number[] = [];
  const wrong: string[] = [];
  let going = true;

  async function change(user: number): Promise<void> {
    const { code } = await run(['users', 'set-password', emailOf(user)], { ...options, input: newPasswordOf(user) });
    if (code !== 0) return void unknown.push(user);
    acknowledged.push(user);
    for (const [password, right] of [
      [newPasswordOf(user), 200],
      [OLD, 401],
    ] as const) {
      const { status } = await login(url, password, emailOf(user));
      if (![right, 503].includes(status)) wrong.push(`user ${user}: ${status} and not ${right}`);
    }
  }

  const loop = async () => {
    for (let user = 0; going && user < USERS; user += 1) await change(user);
  };
  const ended = loop();
  return {
    /** Resolves when some more have been acknowledged. */
    async more() {
      const least = acknowledged.length + 3;
      await until('passwords are changed', async () => acknowledged.length >= least);
    },
    async stop() {
      going = false;
      await ended;
      return { acknowledged, unknown, wrong };
    },
  };
}

t.test('nodes that die', { skip: noPatroni() }, async (t) => {
  const { databaseUrl, nodes, nodeThatIs } = await startCluster(t);
  const env = { DATABASE_URL: databaseUrl, JWT_SECRET: SECRET, ...HIGH_BUDGETS, ...CHEAP };
  const options = { cwd: t.testdir(), env };
  const service = await startWithUser(t, options);
  await importUsers(options);
  const logins = keepLoggingIn(service.url, { clients: 2, pause: 20 });
  const guesses = keepLoggingIn(service.url, { clients: 2, pause: 20, password: 'wrong' });
  const changes = keepChangingPasswords(service, options);
  // Where the test fails, they would go on until the timeout.
  t.teardown(() => Promise.all([changes.stop(), logins.stop(), guesses.stop()]));
  const nextLogin = (after: number) =>
    until('a login passes', async () => logins.replies.find(({ status, at }) => status === 200 && at > after));
  const seconds = (from: number, to: number) => `${((to - from) / 1_000).toFixed(1)} s`;
  await changes.more();

  const primary = await nodeThatIs('primary');
  const standbys = nodes.filter((node) => node !== primary);
  // Without a synchronous standby nobody may be promoted; on a busy machine the copies take longer than the first logins.
  await nodeThatIs('synchronous', standbys);
  for (const node of standbys) await nodeThatIs('replica', [node]);
  const killed = performance.now();
  await primary.kill();
  const successor = await nodeThatIs('primary', standbys);
  const promoted = performance.now();
  const { at } = await nextLogin(promoted);
  t.ok(at - promoted < LOGINS_WITHIN, 'logins pass within 5 s of the promotion');
  t.comment(`promoted ${seconds(killed, promoted)} after the kill, a login passed ${seconds(promoted, at)} later`);
  await changes.more();

  await primary.start();
  await nodeThatIs('replica', [primary]);
  const standby = await nodeThatIs('synchronous');
  const standbyKilled = performance.now();
  await standby.kill();
  await changes.more();
  t.ok(await successor.is('primary'), 'the primary stays the primary');

  const { acknowledged, unknown, wrong } = await changes.stop();
  await Promise.all([logins.stop(), guesses.stop()]);
  t.same(wrong, []);
  for (const [right, all] of [
    [200, logins.replies],
    [401, guesses.replies],
  ] as const) {
    const others = all.filter(({ status }) => ![right, 503].includes(status));
    t.same(others, [], `each of ${all.length} answers is ${right} or 503`);
    t.same(
      all.filter(({ milliseconds }) => milliseconds > ANSWERED_WITHIN),
      [],
      'within 3 s',
    );
  }
  const refused = logins.replies.filter(({ status, at }) => status === 503 && at > standbyKilled);
  t.comment(
    `the last 503 came ${seconds(standbyKilled, refused.at(-1)?.at ?? standbyKilled)} after the standby’s death`,
  );

  const accepts = async (user: number, password: string) => (await login(service.url, password, emailOf(user))).status;
  for (const user of acknowledged) {
    t.same([await accepts(user, OLD), await accepts(user, newPasswordOf(user))], [401, 200], `user ${user}`);
  }
  for (const user of unknown) {
    const statuses = [await accepts(user, OLD), await accepts(user, newPasswordOf(user))];
    t.same(statuses.toSorted(), [200, 401], `user ${user}: the change was made or was not`);
  }
  t.comment(`${acknowledged.length} changes were acknowledged, ${unknown.length} were not`);
  await stop(t, service);
});
