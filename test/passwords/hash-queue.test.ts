import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { ClientGone } from '#built/errors/client-gone.js';
import { createDeadline } from '#built/errors/deadline.js';
import { Overloaded } from '#built/errors/overloaded.js';
import { createHashQueue } from '#built/passwords/hash-queue.js';
import { hashesForPool } from '#built/passwords/thread-pool.js';
import { createGatedPasswords } from '../support/gated-passwords.js';
import { FORM, send } from '../support/send.js';
import { startService, UNTHROTTLED } from '../support/service.js';

/** A task that runs until the test ends it. */
function createTask(name: string, started: string[]) {
  let resolve: (name: string) => void = () => {};
  const promise = new Promise<string>((fulfil) => {
    resolve = fulfil;
  });
  const run = () => {
    started.push(name);
    return promise;
  };
  return { run, end: () => resolve(name) };
}

function createClient(milliseconds = 60_000) {
  const connection = new EventEmitter();
  let open = true;
  return {
    deadline: createDeadline(milliseconds),
    hasHungUp: () => !open,
    onHangUp(listener: () => void) {
      connection.once('close', listener);
      return () => connection.off('close', listener);
    },
    hangUp() {
      open = false;
      connection.emit('close');
    },
    listeners: () => connection.listenerCount('close'),
  };
}

t.test('as many at once as there are slots, in the order in which they came', async (t) => {
  const hashQueue = createHashQueue({ slots: 2 });
  const started: string[] = [];
  const tasks = ['a', 'b', 'c', 'd'].map((name) => createTask(name, started));
  const results = tasks.map(({ run }) => hashQueue.run(run));
  t.same(started, ['a', 'b']);
  tasks[1]?.end();
  t.equal(await results[1], 'b');
  t.same(started, ['a', 'b', 'c']);
  for (const task of tasks) task.end();
  t.same(await Promise.all(results), ['a', 'b', 'c', 'd']);
});

t.test('a task that fails frees its slot', async (t) => {
  const hashQueue = createHashQueue({ slots: 1 });
  await t.rejects(
    hashQueue.run(() => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  t.equal(await hashQueue.run(async () => 'next'), 'next');
});

t.test('who gives up leaves the queue, and keeps a slot that is at work', async (t) => {
  const hashQueue = createHashQueue({ slots: 1 });
  const started: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => createTask(name, started));
  if (!a || !b || !c) return;
  const [client, patient] = [createClient(), createClient()];
  const running = hashQueue.run(a.run, client);
  const waiting = hashQueue.run(b.run, client);
  const other = hashQueue.run(c.run, patient);
  client.hangUp();
  await t.rejects(waiting, new ClientGone());
  await t.rejects(hashQueue.run(b.run, client), new ClientGone(), 'also who has given up before');
  t.same(started, ['a']);
  a.end();
  t.equal(await running, 'a');
  c.end();
  t.equal(await other, 'c');
  t.same(started, ['a', 'c']);
  t.equal(patient.listeners(), 0, 'once its turn has come nothing waits for it to hang up');
});

t.test('who waits leaves at the deadline, and the slot goes to the next', async (t) => {
  const hashQueue = createHashQueue({ slots: 1 });
  const started: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => createTask(name, started));
  if (!a || !b || !c) return;
  const impatient = createClient(1);
  const running = hashQueue.run(a.run);
  const waiting = hashQueue.run(b.run, impatient);
  const next = hashQueue.run(c.run, createClient());
  t.ok((await waiting.catch((error) => error)) instanceof Overloaded);
  t.equal(impatient.listeners(), 0);
  t.same(hashQueue.load(), { running: 1, waiting: 1 });
  a.end();
  t.equal(await running, 'a');
  c.end();
  t.equal(await next, 'c');
  t.same(started, ['a', 'c']);
  t.same(hashQueue.load(), { running: 0, waiting: 0 });
});

t.test('no hash for a waiter whose deadline has passed in a busy turn of the event loop', async (t) => {
  const hashQueue = createHashQueue({ slots: 1 });
  const started: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => createTask(name, started));
  if (!a || !b || !c) return;
  const late = { remaining: () => 60_000, extend() {} };
  const running = hashQueue.run(a.run);
  const waiting = hashQueue.run(b.run, { ...createClient(), deadline: late });
  const next = hashQueue.run(c.run, createClient());
  late.remaining = () => 0;
  a.end();
  await t.rejects(waiting, new Overloaded());
  c.end();
  t.same([await running, await next], ['a', 'c']);
  t.same(started, ['a', 'c']);
});

t.test('the time of the hash does not count', async (t) => {
  let extended = 0;
  let took = 0;
  const onHashed = (times: { took: number }) => {
    took = times.took;
  };
  const hashQueue = createHashQueue({ slots: 1 }, { onHashed });
  const deadline = {
    remaining: () => 60_000,
    extend(milliseconds: number) {
      extended = milliseconds;
    },
  };
  await hashQueue.run(async () => {}, { ...createClient(), deadline });
  t.ok(took > 0);
  t.equal(extended, took);
});

const login = { method: 'POST', path: '/api/v1/sessions', headers: FORM, body: 'email=foo%40bar.com&password=foobar' };

t.test('more logins than can be answered in time', async (t) => {
  const env = { ...UNTHROTTLED, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '10', HASH_QUEUE_MAX: '5' };
  const service = await startService(t, 'sqlite', { env });
  await service.addUser('foo@bar.com', 'foobar');
  const replies = await Promise.all(Array.from({ length: 100 }, () => service.request(login)));
  const refused = replies.filter(({ status }) => status === 503);
  t.ok(refused.length > 50, `${refused.length} are refused`);
  t.equal(replies.filter(({ status }) => status === 200).length, 100 - refused.length, 'the others log in');
  t.match(refused[0]?.headers, { 'retry-after': /^[1-9]\d*$/ });
  t.equal((await service.request(login)).status, 200, 'afterwards there is room again');
});

t.test('a client that hangs up is not hashed for', async (t) => {
  const env = { ...UNTHROTTLED, UV_THREADPOOL_SIZE: '1' };
  const atWork = hashesForPool(env);
  const { passwords, begun, open } = createGatedPasswords(atWork);
  const lines: { level: number; msg: string }[] = [];
  const logged = new EventEmitter();
  const stream = { write: (line: string) => logged.emit('line', lines.push(JSON.parse(line))) };
  const service = await startService(t, 'sqlite', { env, passwords, logTo: stream });
  await service.addUser('foo@bar.com', 'foobar');
  const { port } = new URL(service.url);
  const bytes = `POST ${login.path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM['content-type']}\r\nContent-Length: ${login.body.length}\r\n\r\n${login.body}`;
  const sockets = Array.from({ length: 20 }, () => connect(Number(port), '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.write(bytes, resolve))));
  // By the time that this is answered, the logins have been read.
  await send(service.url, { path: '/livez' });
  for (const socket of sockets) socket.destroy();
  const waiting = sockets.length - atWork;
  while (lines.filter(({ msg }) => msg === 'hung up').length < waiting) await once(logged, 'line');
  open();
  t.equal((await service.request(login)).status, 200);
  t.equal(begun(), atWork + 1, 'those that were with the pool already, and the one that did not hang up');
  t.same(
    lines.filter(({ level }) => level > 30),
    [],
    'and nothing is wrong',
  );
});
