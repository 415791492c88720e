import { connect } from 'node:net';
import t from 'tap';
import { start } from '../support/executable.js';
import { JSON_TYPE, send } from '../support/send.js';
import { startService } from '../support/service.js';

const path = '/api/v1/sessions';

t.test('JSON that is nested', async (t) => {
  const service = await startService(t, 'sqlite');
  const post = (body: string) => service.request({ method: 'POST', path, headers: JSON_TYPE, body });
  for (const email of ['["\\ud800"]', '{"a":[{"b":"\\udc00"}]}', '{"\\ud800":1}']) {
    const { status, body } = await post(`{"email":${email},"password":"foobar"}`);
    t.equal(status, 400);
    t.same(JSON.parse(body).errors, [{ field: 'email', message: 'must be valid Unicode', code: 'malformed' }]);
  }
  const deep = '['.repeat(8_000) + ']'.repeat(8_000);
  t.match(await post(`{"email":"a@b","password":${deep}}`), { status: 400, body: /"field":"password"/ });
});

t.test('bodies in chunks of a byte fit a small heap', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: { NODE_OPTIONS: '--max-old-space-size=64' } });
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
  const bytes = `${head}Transfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(16_000)}`;
  const sockets = Array.from({ length: 50 }, () => connect(Number(new URL(service.url).port), '127.0.0.1'));
  const closed = sockets.map((socket) => new Promise((resolve) => socket.on('error', () => {}).once('close', resolve)));
  for (const socket of sockets) socket.resume().write(bytes);
  await Promise.all(closed);
  t.equal((await send(service.url, { path: '/livez' })).status, 200);
});
