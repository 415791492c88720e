import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { ClientGone } from '#built/errors/client-gone.js';
import { createDeadline } from '#built/errors/deadline.js';
import { Overloaded } from '#built/errors/overloaded.js';
import { createHashQueue, type HashQueueLimits } from '#built/passwords/hash-queue.js';
import { createPasswords, type Passwords } from '#built/passwords/passwords.js';
import { FORM } from '../support/send.js';
import { startService, UNTHROTTLED } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

/** A queue for tasks that have a name and a memory, and run until the test ends them. */
function createQueue(limits: Partial<HashQueueLimits> = {}, now?: () => number) {
  const queue = createHashQueue({ slots: 4, maxQueue: 10, maxWait: 1_000, maxMemory: 100, ...limits }, now && { now });
  const ends = new Map<string, () => void>();
  const started: string[] = [];
  const clients = new EventEmitter();
  return {
    started,
    load: queue.load,
    run(name: string, memory: number) {
      const task = () => {
        started.push(name);
        return new Promise<void>((resolve) => ends.set(name, resolve));
      };
      const waiter = {
        deadline: createDeadline(60_000),
        hasHungUp: () => false,
        onHangUp(listener: () => void) {
          clients.once(name, listener);
          return () => clients.off(name, listener);
        },
      };
      return queue.run(task, waiter, memory);
    },
    async end(name: string) {
      ends.get(name)?.();
      await nextTurn();
    },
    hangUp: (name: string) => clients.emit(name),
  };
}

t.test('as many at once as there is memory for, in the order in which they came', async (t) => {
  const { run, end, started, load } = createQueue();
  const results = [run('a', 60), run('b', 40), run('large', 60), run('small', 10), run('none', 0)];
  t.same(started, ['a', 'b']);
  await end('b');
  t.same(started, ['a', 'b'], 'a small one does not overtake a large one, which might then wait for ever');
  t.same(load(), { running: 1, waiting: 3 });
  await end('a');
  t.same(started, ['a', 'b', 'large', 'small', 'none']);
  for (const name of ['large', 'small', 'none']) await end(name);
  await Promise.all(results);
  t.same(load(), { running: 0, waiting: 0 });
});

t.test('a task that exceeds the memory runs alone', async (t) => {
  const { run, end, started } = createQueue();
  const results = [run('a', 10), run('huge', 300), run('huger', 400), run('b', 10), run('c', 10)];
  t.same(started, ['a']);
  await end('a');
  t.same(started, ['a', 'huge']);
  await end('huge');
  t.same(started, ['a', 'huge', 'huger']);
  await end('huger');
  t.same(started, ['a', 'huge', 'huger', 'b', 'c']);
  await end('b');
  await end('c');
  await Promise.all(results);
});

t.test('those behind a task that leaves the queue may fit at once', async (t) => {
  const { run, end, started, hangUp } = createQueue();
  const results = [run('a', 60), run('large', 60), run('b', 20), run('c', 20), run('d', 20)];
  hangUp('large');
  await t.rejects(results[1] ?? Promise.resolve(), new ClientGone());
  t.same(started, ['a', 'b', 'c']);
  for (const name of ['a', 'b', 'c', 'd']) await end(name);
  t.same(started, ['a', 'b', 'c', 'd']);
});

t.test('a task that fails frees its memory', async (t) => {
  const queue = createHashQueue({ slots: 2, maxQueue: 1, maxWait: 1_000, maxMemory: 100 });
  await t.rejects(
    queue.run(() => Promise.reject(new Error('broken')), undefined, 100),
    { message: 'broken' },
  );
  t.equal(await queue.run(async () => 'next', undefined, 100), 'next');
});

t.test('the expected wait counts the memory', async (t) => {
  let time = 0;
  const { run, end } = createQueue({ maxWait: 2_000 }, () => time);
  const first = run('first', 51);
  time = 700;
  await end('first');
  await first;
  const results = [run('a', 51), run('b', 51), run('c', 300)];
  const refused = await run('d', 51).catch((error) => error);
  t.ok(refused instanceof Overloaded, 'they run one at a time, for 700 ms each');
  t.equal(refused.retryAfterSeconds, 3);
  results.push(run('e', 0));
  for (const name of ['a', 'b', 'c', 'e']) await end(name);
  await Promise.all(results);
});

t.test('the memory that a digest takes', async (t) => {
  const argon2id = createPasswords({ algorithm: 'argon2id' });
  const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });
  const phc = `$argon2id$v=19$p=1,m=102400,t=2$c29tZXNhbHRzb21lc2FsdA$${'A'.repeat(43)}`;
  for (const [digest, memory] of [
    [phc, 100 * 2 ** 20],
    [`argon2${phc}`, 100 * 2 ** 20],
    [`scrypt:32768:8:1$salt$${'0'.repeat(128)}`, 32 * 2 ** 20],
    [`${'0'.repeat(32)}:${'0'.repeat(128)}`, 32 * 2 ** 20],
    [`pbkdf2_sha256$1000$salt$${'A'.repeat(43)}=`, 0],
    [(await bcrypt.hash('foobar')).passwordDigest, 0],
  ] as const) {
    t.equal(bcrypt.memoryOf(storedDigest(digest)), memory, digest);
  }
  for (const unknown of [undefined, storedDigest('unknown')]) {
    t.equal(argon2id.memoryOf(unknown), 19 * 2 ** 20, 'without a known digest, that of the current form');
    t.equal(bcrypt.memoryOf(unknown), 0);
  }
});

t.test('logins of a user with an imported digest of 256 MiB', async (t) => {
  const digest = `$argon2id$v=19$m=262144,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$${'A'.repeat(43)}`;
  const argon2id = createPasswords({ algorithm: 'argon2id' });
  let queued = 0;
  let running = 0;
  let most = 0;
  /** Until so many are queued, none ends. */
  let expected = 0;
  const passwords: Passwords = {
    ...argon2id,
    memoryOf(digest) {
      queued += 1;
      return argon2id.memoryOf(digest);
    },
    async verify() {
      running += 1;
      most = Math.max(most, running);
      while (queued < expected) await nextTurn();
      running -= 1;
      return false;
    },
  };
  const env = { ...UNTHROTTLED, UV_THREADPOOL_SIZE: '1' };
  const service = await startService(t, 'sqlite', { env, passwords });
  await service.addUser('large@bar.com', 'foobar', digest);
  await service.addUser('small@bar.com', 'foobar');
  const login = async (name: string) => {
    expected += 1;
    const body = `email=${name}%40bar.com&password=barfoo`;
    t.equal((await service.request({ method: 'POST', path: '/api/v1/sessions', headers: FORM, body })).status, 401);
  };
  await Promise.all(['small', 'small', 'small'].map(login));
  t.equal(most, 2, 'two slots');
  most = 0;
  await Promise.all(['large', 'large', 'large', 'small'].map(login));
  t.equal(most, 1, 'one at a time');
});
