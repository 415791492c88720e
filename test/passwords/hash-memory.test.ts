import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { ClientGone } from '#built/errors/client-gone.js';
import { createDeadline } from '#built/errors/deadline.js';
import { readDigest } from '#built/passwords/formats/read-digest.js';
import { createHashQueue, type HashQueue } from '#built/passwords/hash-queue.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { storedDigest } from '../support/stored-digest.js';

/** A queue for tasks that have a name and a memory, and run until the test ends them. */
function createQueue() {
  const queue = createHashQueue({ slots: 4, maxMemory: 100 });
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
      await setImmediate();
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
  const queue = createHashQueue({ slots: 2, maxMemory: 100 });
  await t.rejects(
    queue.run(() => Promise.reject(new Error('broken')), undefined, 100),
    { message: 'broken' },
  );
  t.equal(await queue.run(async () => 'next', undefined, 100), 'next');
});

t.test('the memory that a digest takes', async (t) => {
  const phc = `$argon2id$v=19$p=1,m=102400,t=2$c29tZXNhbHRzb21lc2FsdA$${'A'.repeat(43)}`;
  for (const [digest, memory] of [
    [phc, 100 * 2 ** 20],
    [`argon2${phc}`, 100 * 2 ** 20],
    [`scrypt:32768:8:1$salt$${'0'.repeat(128)}`, 32 * 2 ** 20],
    [`${'0'.repeat(32)}:${'0'.repeat(128)}`, 32 * 2 ** 20],
    [`pbkdf2_sha256$1000$salt$${'A'.repeat(43)}=`, 0],
    [`$2b$04$${'a'.repeat(53)}`, 0],
  ] as const) {
    t.equal(readDigest(digest, { bcryptMaxCost: 16 })?.memory, memory, digest);
  }
  const taken: (number | undefined)[] = [];
  const queue: HashQueue = {
    run(task, _waiter, memory) {
      taken.push(memory);
      return task();
    },
    load: () => ({ running: 0, waiting: 0 }),
  };
  const passwords = createPasswords({ algorithm: 'argon2id' }, queue);
  await passwords.verify('foobar', undefined);
  await passwords.verify('foobar', storedDigest('unknown'));
  await passwords.hash('foobar');
  t.same(taken, Array(3).fill(19 * 2 ** 20), 'without a known digest, that of the current form');
});
