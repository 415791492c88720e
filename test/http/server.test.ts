import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { checkReply } from '../support/check-reply.js';
import { start } from '../support/executable.js';
import { createGatedPasswords } from '../support/gated-passwords.js';
import { parseReplies } from '../support/parse-replies.js';
import { type Service, startService } from '../support/service.js';
import { loginRequest } from '../support/steady-logins.js';

const path = '/api/v1/sessions';
const livez = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
const contract = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';
const connectRequest = 'CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n';

function login(password: string, more = ''): string {
  const body = `email=foo%40bar.com&password=${password}`;
  const type = 'Content-Type: application/x-www-form-urlencoded';
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function open(t: Test, { url }: Service, allowHalfOpen = false): Socket {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen });
  t.teardown(() => socket.destroy());
  return socket.on('error', () => {});
}

/** Sends bytes as they are, and returns the replies that come back until the service hangs up. */
async function exchange(t: Test, service: Service, bytes: string) {
  const socket = open(t, service);
  socket.write(bytes);
  return parseReplies(await text(socket).catch(() => ''));
}

async function statusesOf(t: Test, service: Service, bytes: string): Promise<number[]> {
  return (await exchange(t, service, bytes)).map(({ status }) => status);
}

t.test('an error that nobody expected ends the process', async (t) => {
  const thrower = `data:text/javascript,process.once('SIGUSR2', () => { throw new Error('unexpected') })`;
  const service = await start(t, {
    cwd: t.testdir(),
    env: { NODE_OPTIONS: `--import=${thrower.replaceAll(' ', '%20')}` },
  });
  service.kill('SIGUSR2');
  t.equal(await service.exited, 1);
});

t.test('what can’t be read as HTTP is answered, and the connection closed', async (t) => {
  const service = await startService(t, 'sqlite');
  for (const bytes of [connectRequest, 'hello\r\n\r\n']) {
    const [reply, ...more] = await exchange(t, service, bytes);
    t.match({ reply, more }, { reply: { status: 400 }, more: [] });
    t.same(reply && checkReply({ method: 'GET', path: '/livez' }, reply, { outside: true }), []);

    const socket = open(t, service, true);
    socket.resume().write(bytes);
    await once(socket, 'end');
    const feeding = setInterval(() => socket.write('x'), 10);
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(feeding);
    t.pass('also where the client goes on');
  }
});

t.test('ignores an upgrade to HTTP/2', async (t) => {
  const service = await startService(t, 'sqlite');
  const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n';
  const socket = open(t, service);
  for (const status of [401, 401]) {
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
    t.same(await statusesOf(t, service, livez + contract + login('wrong') + last), [200, 200, 401, 200]);
    t.same(await statusesOf(t, service, livez.repeat(15) + last), Array(16).fill(200));
  });

  t.test('one more than sixteen destroys the connection', async (t) => {
    t.same(await statusesOf(t, service, livez.repeat(1_000)), []);
    t.equal((await service.request({ path: '/livez' })).status, 200);
  });

  t.test('sixteen at a time, on one connection', async (t) => {
    const socket = open(t, service);
    for (let round = 0; round < 3; round += 1) {
      socket.write(livez.repeat(16));
      let replies = '';
      while (parseReplies(replies).length < 16) replies += (await once(socket, 'data'))[0];
    }
    t.pass('are all answered');
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

  t.test('what can’t be read, behind a request that is not answered yet, destroys the connection', async (t) => {
    t.same(await statusesOf(t, service, `${login('foobar')}hello\r\n\r\n`), []);
    t.same(await statusesOf(t, service, login('foobar') + connectRequest), []);
  });

  t.test('what follows Connection: close is ignored', async (t) => {
    t.same(await statusesOf(t, service, last + livez), [200]);
  });
});

for (const end of ['destroy', 'resetAndDestroy'] as const) {
  t.test(`a guess of a client that hangs up by ${end}`, async (t) => {
    const events = new EventEmitter();
    const { passwords, untilBegun, untilHungUp, open: openGate } = createGatedPasswords(1);
    const hungUp: object[] = [];
    const logTo = {
      write(text: string) {
        const line = JSON.parse(text);
        if (line.msg === 'hung up') hungUp.push(line);
        events.emit('line');
      },
    };

    const env = { THROTTLE_ADDRESS: '1' };
    const service = await startService(t, 'sqlite', { env, passwords, logTo, loginTimeout: 60_000 });
    const socket = open(t, service);
    socket.write(login('wrong'));
    await untilBegun(1);
    socket[end]();
    await untilHungUp(1);
    openGate();
    while (hungUp.length === 0) await once(events, 'line');
    t.match(hungUp, [
      { operationId: 'createSession', ip: '127.0.0.1', outcome: 'unknown_email', milliseconds: Number },
    ]);
    t.notOk(hungUp[0] && 'status' in hungUp[0], 'no status was sent');
    // Waits for the failure to be counted: one is in flight at most.
    const reply = await service.request(loginRequest('x', 'other@bar.com'));
    t.equal(reply.status, 429, 'a guess whose hash has begun is counted under the address');
  });
}
