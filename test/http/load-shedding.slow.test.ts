import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fastify from 'fastify';
import t, { type Test } from 'tap';
import { loadContract, operationNamed } from '#built/contract/contract.js';
import { clientAddressPlugin } from '#built/http/client-address.js';
import { errorsPlugin } from '#built/http/errors.js';
import { framingPlugin } from '#built/http/framing.js';
import { loadSheddingPlugin } from '#built/http/load-shedding.js';
import { operationPlugin } from '#built/http/operation.js';
import { responseHeadersPlugin } from '#built/http/response-headers.js';
import { createGatedPasswords } from '../support/gated-passwords.js';
import { FORM } from '../support/send.js';
import { startService, UNTHROTTLED } from '../support/service.js';

const BODY = 'email=foo%40bar.com&password=foobar';
const login = { method: 'POST', path: '/api/v1/sessions', headers: FORM, body: BODY };
const HEAD = `POST ${login.path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM['content-type']}\r\nContent-Length: ${BODY.length}\r\n\r\n`;

/** A service with two places, whose logins wait until the test lets them hash. */
async function start(t: Test) {
  const { passwords, untilBegun, untilHungUp, open } = createGatedPasswords(10);
  const lines: { outcome?: string }[] = [];
  const logTo = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const env = { ...UNTHROTTLED, UV_THREADPOOL_SIZE: '1', HASH_QUEUE_MAX: '0' };
  const service = await startService(t, 'sqlite', { env, passwords, logTo });
  await service.addUser('foo@bar.com', 'foobar');
  const { port } = new URL(service.url);
  return {
    ...service,
    untilBegun,
    untilHungUp,
    open,
    outcomes: () => lines.map(({ outcome }) => outcome).filter(Boolean),
    async connectAndSend(text: string): Promise<Socket> {
      const socket = connect(Number(port), '127.0.0.1');
      t.teardown(() => socket.destroy());
      socket.write(text);
      await once(socket, 'connect');
      return socket;
    },
  };
}

/** The status of the first reply. */
async function statusOf(socket: Socket): Promise<string> {
  const [chunk] = await once(socket, 'data');
  return String(chunk).slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length);
}

t.test('what can’t be answered in time is refused, whatever its body is', async (t) => {
  const { request, untilBegun, open, outcomes } = await start(t);
  const admitted = [request(login), request(login)];
  await untilBegun(2);
  const large = { ...login, body: 'x'.repeat(20_000) };
  const empty = { ...login, body: '' };
  for (const refused of [login, empty, large]) {
    const { status, headers } = await request(refused);
    t.equal(status, 503);
    t.match(headers['retry-after'], /^[1-9]\d*$/);
  }
  t.same(outcomes(), Array(3).fill('overloaded'));
  t.equal((await request({ path: '/livez' })).status, 200, 'other operations are answered');
  open();
  t.same(
    (await Promise.all(admitted)).map(({ status }) => status),
    [200, 200],
  );
  t.equal((await request(login)).status, 200, 'a reply frees its place');
  t.equal((await request(empty)).status, 400);
  t.equal((await request(large)).status, 413);
});

t.test('a body that is not complete holds no place, and is refused where there is none by then', async (t) => {
  const { request, connectAndSend, untilBegun, open } = await start(t);
  const slow = await Promise.all(Array.from({ length: 10 }, () => connectAndSend(HEAD + BODY.slice(0, -1))));
  const admitted = [request(login), request(login)];
  await untilBegun(2);
  const replies = Promise.all(slow.map(statusOf));
  for (const socket of slow) socket.write(BODY.slice(-1));
  t.same(await replies, Array(10).fill('503'));
  open();
  t.same(
    (await Promise.all(admitted)).map(({ status }) => status),
    [200, 200],
  );
});

t.test('a client that hangs up frees its place', async (t) => {
  const { request, connectAndSend, untilBegun, untilHungUp, open } = await start(t);
  const sockets = [await connectAndSend(HEAD + BODY), await connectAndSend(HEAD + BODY)];
  await untilBegun(2);
  for (const socket of sockets) socket.destroy();
  await untilHungUp(2);
  const next = request(login);
  await untilBegun(3);
  open();
  t.equal((await next).status, 200);
});

t.test('so does one that has sent several requests, once they are answered', async (t) => {
  const { request, connectAndSend, untilBegun, open } = await start(t);
  const socket = await connectAndSend(HEAD + BODY + HEAD + BODY);
  await untilBegun(2);
  t.equal((await request(login)).status, 503);
  socket.destroy();
  open();
  let status = 503;
  while (status === 503) ({ status } = await request(login));
  t.equal(status, 200);
});

t.test('a place is freed with the reply, not when the client has got it', async (t) => {
  const events: string[] = [];
  const admission = { refusal: () => undefined, take: () => () => events.push('freed') };
  const operation = operationNamed(loadContract(), 'createSession');
  const app = fastify();
  await app.register(clientAddressPlugin);
  await app.register(operationPlugin);
  await app.register(responseHeadersPlugin, { contract: loadContract() });
  await app.register(errorsPlugin, { contract: loadContract() });
  await app.register(framingPlugin);
  await app.register(loadSheddingPlugin, { admission });
  app.addHook('onSend', async () => {
    events.push('sent');
  });
  app.get('/', { config: { operation } }, async () => '');
  await app.inject('/');
  t.equal(events[0], 'freed');
});
