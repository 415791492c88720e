import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { FORM } from '../support/send.js';
import { type Service, startService } from '../support/service.js';

const login = { method: 'POST', path: '/api/v1/sessions', headers: FORM, body: 'email=foo%40bar.com&password=foobar' };
const head = `POST ${login.path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM['content-type']}\r\n`;

const beginnings = ['', 'P', head, `${head}Content-Length: 35\r\n\r\nemail=`];

/** Opens connections whose requests are not whole yet. */
async function openSlow(t: Test, { url }: Service, count: number): Promise<Socket[]> {
  const slow: Socket[] = [];
  t.teardown(() => {
    for (const socket of slow) socket.destroy();
  });
  for (let index = 0; index < count; index += 1) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
    slow.push(socket);
    socket.resume().write(beginnings[index % beginnings.length] ?? '');
    if (index % 50 === 49) await once(socket, 'connect');
  }
  return slow;
}

t.test('a thousand slow connections leave other clients served', async (t) => {
  const service = await startService(t, 'sqlite', { requestTimeout: 240_000 });
  await service.addUser('foo@bar.com', 'foobar');
  const slow = await openSlow(t, service, 1_000);
  for (let count = 0; count < 5; count += 1) t.equal((await service.request(login)).status, 200);
  t.same(
    slow.filter(({ closed }) => closed),
    [],
    'while all of them are still there',
  );
});

t.test('a request has to be whole in time, however lively its connection is', async (t) => {
  const service = await startService(t, 'sqlite', { requestTimeout: 300 });
  const slow = await openSlow(t, service, 8);
  const dripping = setInterval(() => {
    for (const socket of slow) if (socket.writable) socket.write('x');
  }, 100);
  t.teardown(() => clearInterval(dripping));
  await Promise.all(slow.map((socket) => socket.closed || new Promise((resolve) => socket.once('close', resolve))));
  t.equal((await service.request({ path: '/livez' })).status, 200);
});

t.test('a connection that is kept alive and idle is closed in the end', async (t) => {
  const service = await startService(t, 'sqlite', { keepAliveTimeout: 200 });
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  const [first] = await once(socket, 'data');
  t.match(String(first), /^HTTP\/1.1 200 /);
  await once(socket, 'close');
  t.pass('closed by the service');
});

t.test('a client that does not hang up does not keep the service from stopping', async (t) => {
  const service = await startService(t, 'sqlite', { requestTimeout: 1_000 });
  const socket = connect({ port: Number(new URL(service.url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {}).write('CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n');
  const [answer] = await once(socket, 'data');
  t.match(String(answer), /^HTTP\/1.1 4/, 'Node.js leaves such a connection to us');
});
