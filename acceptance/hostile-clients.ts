/** Clients that mean harm, all at once, until they are killed: `hostile-clients.ts PORT`. Each is told in hostile.test.ts. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

const port = Number(process.argv[2]);
const login = 'email=nobody%40bar.com&password=wrong';
const type = 'Content-Type: application/x-www-form-urlencoded\r\n';
const guess = `POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\n${type}Content-Length: ${login.length}\r\n\r\n${login}`;
const download = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n';
const unread = Buffer.from('GET /openapi.json HTTP/1.1\r\n\r\n'.repeat(2_184));
const tooManyFields = `GET /livez HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(2_000)}\r\n`;

function open(bytes: string | Buffer): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
  socket.write(bytes);
  return socket;
}

/** Sends bytes, waits for the reply's beginning, and resets the connection. */
async function reset(bytes: string): Promise<void> {
  const socket = open(bytes);
  await Promise.race([once(socket, 'data'), wait(1_000)]).catch(() => {});
  socket.resetAndDestroy();
}

/** Sends bytes, and goes on with one at a time until the service closes the connection. */
async function feed(bytes: string): Promise<void> {
  const socket = open(bytes).resume();
  while (!socket.closed) {
    socket.write('x');
    await wait(100);
  }
}

/** Sends as much as the service takes, reads nothing, and keeps the connection for ten seconds. */
async function neverRead(): Promise<void> {
  const socket = open(unread).pause();
  for (let tenths = 0; tenths < 100 && !socket.closed; tenths += 1) {
    if (socket.writableLength === 0) socket.write(unread);
    await wait(100);
  }
  socket.destroy();
}

async function keepOn(clients: number, pause: number, attack: () => Promise<unknown>): Promise<void> {
  const client = async () => {
    for (;;) {
      await wait(pause * (0.5 + Math.random()));
      await attack();
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
}

await Promise.all([
  keepOn(2, 100, () => reset('CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n')),
  keepOn(4, 200, () => feed('hello\r\n\r\n')),
  keepOn(4, 200, () => feed(`${guess}hello\r\n\r\n`)),
  keepOn(200, 2_000, neverRead),
  keepOn(4, 100, () => reset(download.repeat(4))),
  keepOn(4, 200, async () => open(guess.repeat(8)).destroy()),
  keepOn(4, 200, () => reset(guess.repeat(8))),
  keepOn(2, 200, () => reset(`GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`)),
  keepOn(2, 200, () => reset(tooManyFields)),
]);
