/** What strangers send must neither end the service, nor fill its memory, nor keep its files open. */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { memoryOf, processorTimeOf, type Running, start, stop } from '../test/support/executable.js';
import { send } from '../test/support/send.js';
import { UNTHROTTLED } from '../test/support/service.js';

const credentials = 'email=nobody%40bar.com&password=wrong';
const type = 'Content-Type: application/x-www-form-urlencoded\r\n';
const guess = `POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\n${type}Content-Length: ${credentials.length}\r\n\r\n${credentials}`;
const download = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n';
const contract = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';
const livez = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
const connectRequest = 'CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n';

/** Those of the attack, and the requests that the service lets each have unanswered. */
const [CONNECTIONS, UNANSWERED] = [20, 16];

t.setTimeout(240_000);

function startHere(t: Test): Promise<Running> {
  const env = { ...UNTHROTTLED, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
  return start(t, { cwd: t.testdir(), env: { ...env, NODE_OPTIONS: '--max-old-space-size=256' } });
}

function open(t: Test, { url }: Running, bytes: string): Socket {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {}).write(bytes);
  return socket;
}

/** Sends bytes, waits for the first of the reply or for the connection, and resets it. */
async function reset(t: Test, service: Running, bytes: string, event: 'data' | 'connect' = 'data'): Promise<void> {
  const socket = open(t, service, bytes);
  await Promise.race([once(socket, event), once(socket, 'close')]);
  socket.resetAndDestroy();
}

async function openFiles({ pid }: Running): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

t.test('no error of a socket ends the process', async (t) => {
  const service = await startHere(t);
  const attacks = [
    connectRequest,
    livez + connectRequest,
    'hello\r\n\r\n',
    `${guess}hello\r\n\r\n`,
    guess.repeat(8),
    contract.repeat(1_000),
    download.repeat(4),
    'GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
    `GET /livez HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(2_000)}\r\n`,
    'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  ];
  for (const attack of attacks) {
    await Promise.all(Array.from({ length: 20 }, () => reset(t, service, attack)));
    await Promise.all(Array.from({ length: 20 }, () => reset(t, service, attack, 'connect')));
    t.equal((await send(service.url, { path: '/livez' })).status, 200, JSON.stringify(attack.slice(0, 60)));
  }
  await stop(t, service);
});

t.test('replies that are never read, to requests that are sent together', async (t) => {
  const service = await startHere(t);
  /** Keeps a connection of requests, and opens another where it is destroyed. */
  async function neverRead(requests: string, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const socket = open(t, service, requests).pause();
      while (!isOver() && !socket.closed) {
        if (socket.writable && socket.writableLength === 0) socket.write(requests);
        await wait(20);
      }
      socket.destroy();
      await wait(500 + 1_000 * Math.random());
    }
  }
  // What all connections may have unanswered at once. Of this time, since machines differ.
  const before = await processorTimeOf(service);
  for (let request = 0; request < CONNECTIONS * UNANSWERED; request += 1) {
    await send(service.url, { path: '/openapi.json' });
  }
  const enough = 3 * ((await processorTimeOf(service)) - before);
  for (const count of [UNANSWERED, 1_000]) {
    let over = false;
    const clients = Array.from({ length: CONNECTIONS }, () => neverRead(contract.repeat(count), () => over));
    const [waits, memories]: [number[], number[]] = [[], []];
    for (const started = performance.now(); performance.now() - started < 15_000; await wait(50)) {
      const before = await processorTimeOf(service);
      if ((await send(service.url, { path: '/livez' })).status !== 200) t.fail('/livez');
      waits.push((await processorTimeOf(service)) - before);
      memories.push(await memoryOf(service));
    }
    over = true;
    await Promise.all(clients);
    const [longest, most] = [Math.max(...waits), Math.max(...memories)];
    // By the service's own time: other processes may take the cores.
    t.ok(
      longest < enough,
      `${count} at once: ${waits.length} answers of /livez, after at most ${longest} of ${enough} ms of work`,
    );
    t.ok(most < 300, `${most.toFixed(0)} MB`);
  }
});

t.test('downloads that are aborted, sent together too', async (t) => {
  const service = await startHere(t);
  await send(service.url, { path: '/docs' });
  const before = await openFiles(service);
  for (let round = 0; round < 80; round += 1) {
    const events = ['data', 'connect'] as const;
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => reset(t, service, download.repeat(3), events[index % 2])),
    );
  }
  while ((await openFiles(service)) > before) await wait(100);
  t.equal((await send(service.url, { path: '/livez' })).status, 200, 'close their files');
});
