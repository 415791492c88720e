import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { checkReply } from '../../support/check-reply.js';
import { memoryOf, processorTimeOf, type Running, start } from '../../support/executable.js';
import { parseReplies } from '../../support/parse-replies.js';
import { send } from '../../support/send.js';
import { type Service, startService } from '../../support/service.js';
import { CHEAP, startWithUser } from '../../support/steady-logins.js';

const path = '/api/v1/sessions';
const connectRequest = 'CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n';
const livez = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
const contract = 'GET /openapi.json HTTP/1.1\r\n\r\n'.replace('\r\n', '\r\nHost: x\r\n');

function login(password: string, more = ''): string {
  const body = `email=foo%40bar.com&password=${password}`;
  const type = 'Content-Type: application/x-www-form-urlencoded';
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function open(t: Test, { url }: Pick<Service, 'url'>, allowHalfOpen = false): Socket {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen });
  t.teardown(() => socket.destroy());
  return socket.on('error', () => {});
}

/** Sends bytes as they are, and returns the replies that come back until the service hangs up. */
async function exchange(t: Test, service: Pick<Service, 'url'>, bytes: string) {
  const socket = open(t, service);
  socket.write(bytes);
  return parseReplies(await text(socket));
}

/** Whether the process answers. */
async function isServed(service: Running): Promise<boolean> {
  return (await send(service.url, { path: '/livez' })).status === 200;
}

/** The milliseconds of the service's work between a request on a new connection and its reply. */
async function workBeforeLivez(t: Test, service: Running): Promise<number> {
  const before = await processorTimeOf(service);
  t.equal((await send(service.url, { path: '/livez' })).status, 200);
  return (await processorTimeOf(service)) - before;
}

t.test('a CONNECT that is reset after its reply', async (t) => {
  const service = await start(t, { cwd: t.testdir() });
  for (let count = 0; count < 5; count += 1) {
    const socket = open(t, service);
    socket.write(connectRequest);
    const [reply] = await once(socket, 'data');
    t.match(String(reply), /^HTTP\/1.1 400 /);
    socket.resetAndDestroy();
    await once(socket, 'close');
  }
  await wait(100);
  t.ok(await isServed(service));
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('an error that nobody expected still ends the process', async (t) => {
  const thrower = `data:text/javascript,process.once('SIGUSR2', () => { throw new Error('unexpected') })`;
  const service = await start(t, {
    cwd: t.testdir(),
    env: { NODE_OPTIONS: `--import=${thrower.replaceAll(' ', '%20')}` },
  });
  service.kill('SIGUSR2');
  t.equal(await service.exited, 1);
});

t.test('a socket that is answered outside a route is gone within a second', async (t) => {
  const service = await startService(t, 'sqlite');
  for (const bytes of [connectRequest, 'hello\r\n\r\n', livez + connectRequest, `${livez}hello\r\n\r\n`]) {
    const socket = open(t, service, true);
    socket.write(bytes);
    let replies = '';
    socket.on('data', (chunk) => {
      replies += chunk;
    });
    await once(socket, 'end');
    const last = parseReplies(replies).at(-1);
    const answered = performance.now();
    const feeding = setInterval(() => socket.write('x'), 50);
    t.teardown(() => clearInterval(feeding));
    await new Promise((resolve) => socket.once('close', resolve));
    t.ok(performance.now() - answered < 1_000, JSON.stringify(bytes));
    t.equal(last?.status, 400);
    t.same(last && checkReply({ method: 'GET', path: '/livez' }, last, { outside: true }), []);
  }
});

t.test('ignores an upgrade to HTTP/2', async (t) => {
  const service = await startService(t, 'sqlite');
  await service.addUser('foo@bar.com', 'foobar');
  const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n';
  const socket = open(t, service);
  for (const status of [200, 200]) {
    socket.write(login('foobar', upgrade));
    const [reply] = await once(socket, 'data');
    t.equal(parseReplies(String(reply))[0]?.status, status);
  }
});

t.test('requests that are sent together', async (t) => {
  const service = await startService(t, 'sqlite');
  await service.addUser('foo@bar.com', 'foobar');
  const last = login('foobar', 'Connection: close\r\n');

  t.test('are answered in their order', async (t) => {
    const replies = await exchange(t, service, livez + contract + login('wrong') + last);
    t.same(
      replies.map(({ status }) => status),
      [200, 200, 401, 200],
    );
  });

  t.test('a fifth closes the connection after the replies', async (t) => {
    const socket = open(t, service);
    socket.write(livez.repeat(1_000));
    const replies = parseReplies(await text(socket));
    t.same(
      replies.map(({ status }) => status),
      [200, 200, 200, 200],
    );
  });

  t.test('one whose body has not arrived', async (t) => {
    const socket = open(t, service);
    const bytes = livez + last;
    socket.write(bytes.slice(0, -10));
    const [first] = await once(socket, 'data');
    t.match(String(first), /^HTTP\/1.1 200 /);
    socket.write(bytes.slice(-10));
    const [second] = parseReplies(await text(socket));
    t.equal(second?.status, 200);
  });

  t.test('what can’t be read is answered after the login before it', async (t) => {
    const replies = await exchange(t, service, `${login('foobar')}hello\r\n\r\n`);
    t.same(
      replies.map(({ status }) => status),
      [200, 400],
    );
    t.same(replies[1] && checkReply({ method: 'GET', path: '/livez' }, replies[1], { outside: true }), []);
  });

  t.test('what follows Connection: close is ignored', async (t) => {
    const replies = await exchange(t, service, last + livez);
    t.same(
      replies.map(({ status }) => status),
      [200],
    );
  });

  t.test('a client that has ended its side gets its replies', async (t) => {
    for (const [bytes, statuses] of [
      [login('foobar'), [200]],
      [login('foobar') + login('wrong'), [200, 401]],
      [`${login('foobar')}hello\r\n\r\n`, [200, 400]],
      [`${login('foobar')}POST`, [200, 400]],
    ] as const) {
      const socket = open(t, service, true);
      socket.end(bytes);
      const replies = parseReplies(await text(socket));
      t.same(
        replies.map(({ status }) => status),
        statuses,
        JSON.stringify(bytes.slice(-20)),
      );
    }
  });
});

t.test('replies that nobody reads', async (t) => {
  const service = await startWithUser(t, {
    cwd: t.testdir(),
    env: { ...CHEAP, NODE_OPTIONS: '--max-old-space-size=256' },
  });
  for (let count = 0; count < 200; count += 1) await workBeforeLivez(t, service);
  const bytes = Buffer.from('GET /openapi.json HTTP/1.1\r\n\r\n'.repeat(2_184));
  const open200 = () => {
    for (let count = 0; count < 200; count += 1) open(t, service).pause().write(bytes);
  };
  const waits: number[] = [];
  open200();
  for (const started = performance.now(); performance.now() - started < 3_000; await wait(20)) {
    waits.push(await workBeforeLivez(t, service));
    if (waits.length === 20) open200();
  }
  const longest = Math.max(...waits);
  // 100 where the machine does nothing else: otherwise its caches are shared.
  t.ok(longest < 150, `each of ${waits.length} answers of /livez waits for at most ${longest} ms of work`);
  const megabytes = await memoryOf(service);
  t.ok(megabytes < 250, `${megabytes.toFixed(0)} MB`);
});

t.test('bodies in chunks of a byte', async (t) => {
  const env = { ...CHEAP, NODE_OPTIONS: '--max-old-space-size=64' };
  const service = await startWithUser(t, { cwd: t.testdir(), env });
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
  const bytes = `${head}Transfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(16_000)}`;
  const sockets = Array.from({ length: 50 }, () => open(t, service));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.write(bytes, resolve))));
  for (const socket of sockets) socket.write('0\r\n\r\n');
  for (const reply of await Promise.all(sockets.map(text))) t.match(reply, /^HTTP\/1\.1 400 /);
});

t.test('bytes without an end', async (t) => {
  const service = await startWithUser(t, { cwd: t.testdir(), env: CHEAP });
  const post = 'POST /livez HTTP/1.1\r\nHost: x\r\n';
  for (const [what, start, bytes] of [
    ['empty lines', '', '\r\n'],
    ['chunks of a byte', `${post}Transfer-Encoding: chunked\r\n\r\n`, '1\r\na\r\n'],
    ['a long body', `${post}Content-Length: 1000000000\r\n\r\n`, 'x'],
  ] as const) {
    const block = Buffer.from(bytes.repeat(65_536 / bytes.length));
    const floods = Array.from({ length: 50 }, () => open(t, service).resume());
    for (const socket of floods) {
      socket.write(start);
      const go = () => void (socket.writable && socket.write(block, go));
      go();
    }
    const watch = async (milliseconds: number) => {
      const waits: number[] = [];
      for (const started = performance.now(); performance.now() - started < milliseconds; await wait(20)) {
        waits.push(await workBeforeLivez(t, service));
      }
      return waits;
    };
    // Until V8 has compiled what reads it, a turn takes up to 330 ms on Node.js 26.
    await watch(500);
    const waits = await watch(2_000);
    const longest = Math.max(...waits);
    t.ok(longest < 250, `${what}: each of ${waits.length} answers of /livez waits for at most ${longest} ms of work`);
    for (const socket of floods) socket.destroy();
  }
});

t.test('downloads below /docs that are aborted, sent together too', async (t) => {
  const service = await start(t, { cwd: t.testdir() });
  const openFiles = async () => (await readdir(`/proc/${service.pid}/fd`)).length;
  const download = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n';
  await isServed(service);
  const before = await openFiles();
  for (let aborted = 0; aborted < 5_000; aborted += 60) {
    const sockets = Array.from({ length: 20 }, () => open(t, service));
    await Promise.all(
      sockets.map(async (socket, index) => {
        socket.write(download.repeat(3));
        if (index % 2 === 0) await once(socket, 'data');
        else await once(socket, 'connect');
        socket.resetAndDestroy();
      }),
    );
  }
  const deadline = performance.now() + 5_000;
  while ((await openFiles()) > before && performance.now() < deadline) await wait(100);
  t.ok((await openFiles()) <= before, `${before} files are open`);
  t.ok(await isServed(service));
});
