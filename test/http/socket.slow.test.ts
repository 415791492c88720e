import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { checkReply } from '../support/check-reply.js';
import { parseReplies } from '../support/parse-replies.js';
import { type Service, startService } from '../support/service.js';

const path = '/api/v1/sessions';
const body = 'email=foo%40bar.com&password=foobar';
const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
const login = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
const lastLogin = login.replace('Host: x', 'Host: x\r\nConnection: close');

function open({ url }: Service): Socket {
  return connect(Number(new URL(url).port), '127.0.0.1');
}

/** Sends bytes as they are, and returns all that comes back until the service hangs up. */
async function exchange(service: Service, bytes: string): Promise<string> {
  const socket = open(service);
  socket.write(bytes);
  return text(socket);
}

t.test('on a real socket', async (t) => {
  const service = await startService(t, 'sqlite', { requestTimeout: 500 });
  await service.addUser('foo@bar.com', 'foobar');

  t.test('answers one request after another on one connection', async (t) => {
    const wrong = login.replace('foobar', 'fooba2');
    const [first, second, third] = parseReplies(await exchange(service, login + wrong + lastLogin));
    t.equal(first?.status, 200);
    t.equal(second?.status, 401);
    t.equal(third?.status, 200);
    for (const reply of [first, second, third]) {
      t.same(reply && checkReply({ method: 'POST', path }, reply), []);
    }
  });

  t.test('goes on after a request whose body it has not read', async (t) => {
    const long = `x=${'p'.repeat(100_000)}`;
    const chunks = `${head}Transfer-Encoding: chunked\r\n\r\n${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`;
    const refused: [request: string, status: number][] = [
      [`${head}Content-Length: ${long.length}\r\n\r\n${long}`, 413],
      [chunks, 413],
      [chunks.replace('Content-Type: application/x-www-form-urlencoded', 'Content-Type: text/plain'), 415],
      [chunks.replace(path, '/nowhere'), 404],
      [chunks.replace('POST', 'PUT'), 405],
    ];
    for (const [request, status] of refused) {
      const replies = parseReplies(await exchange(service, request + lastLogin));
      t.equal(replies[0]?.status, status);
      // It may hang up instead, as long as it says so.
      t.ok(replies[1]?.status === 200 || replies[0]?.headers.connection === 'close', `after ${status}`);
    }
  });

  t.test('408: a request that does not arrive', async (t) => {
    for (const part of ['POST /api', head, `${head}Content-Length: 20\r\n\r\nemail=`]) {
      const [reply] = parseReplies(await exchange(service, part));
      t.equal(reply?.status, 408, JSON.stringify(part.slice(-10)));
      t.equal(reply?.body, '{"message":"Request timeout","code":"request_timeout"}');
      t.same(reply && checkReply({ method: 'POST', path }, reply, { outside: true }), []);
    }
  });

  t.test('431: header fields that are too large', async (t) => {
    const [reply] = parseReplies(await exchange(service, `${head}X-Long: ${'x'.repeat(20_000)}\r\n\r\n`));
    t.equal(reply?.status, 431);
    t.same(reply && checkReply({ method: 'POST', path }, reply, { outside: true }), []);
  });

  t.test('400: what is not HTTP', async (t) => {
    const both = `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    for (const bytes of ['hello\r\n\r\n', `${head}Content-Length: x\r\n\r\n`, both]) {
      const [reply] = parseReplies(await exchange(service, bytes));
      t.equal(reply?.status, 400);
      t.same(reply && checkReply({ method: 'POST', path }, reply, { outside: true }), []);
    }
  });

  t.test('ignores an expectation that it does not know', async (t) => {
    const [reply] = parseReplies(await exchange(service, lastLogin.replace('Host: x', 'Host: x\r\nExpect: miracles')));
    t.equal(reply?.status, 200);
  });

  t.test('survives clients that hang up', async (t) => {
    for (const part of ['', 'POST', `${head}Content-Length: 20\r\n\r\nemail=`, login]) {
      const socket = open(service);
      await once(socket, 'connect');
      socket.write(part, () => socket.resetAndDestroy());
      await once(socket, 'close');
    }
    t.equal((await service.request({ path: '/livez' })).status, 200);
  });
});
