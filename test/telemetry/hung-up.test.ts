import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { adminRequest, PASSWORD, startApplication } from '../support/application.js';
import { createGatedPasswords } from '../support/gated-passwords.js';
import type { Request } from '../support/send.js';
import { loginRequest } from '../support/steady-logins.js';

async function begin(url: string, { method, path, headers, body = '' }: Request): Promise<Socket> {
  const fields = Object.entries({ host: 'x', 'content-length': Buffer.byteLength(body), ...headers });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  await new Promise((resolve) => socket.write(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`, resolve));
  return socket;
}

t.test('a client that hangs up leaves one line, with what was done', async (t) => {
  const events = new EventEmitter();
  const lines: { [field: string]: unknown }[] = [];
  const logTo = {
    write(text: string) {
      const line = JSON.parse(text);
      if (line.operationId) lines.push(line);
      events.emit('line');
    },
  };
  const { passwords, untilBegun, untilHungUp, open } = createGatedPasswords(1);
  const { url, admin } = await startApplication(t, 'sqlite', { passwords, logTo, loginTimeout: 60_000 });

  const creating = await begin(url, adminRequest('POST', '', { email: 'foo@bar.com', password: PASSWORD }));
  await untilBegun(1);
  (await begin(url, loginRequest())).destroy();
  while (lines.length === 0) await once(events, 'line');
  t.match(
    lines,
    [{ msg: 'hung up', operationId: 'createSession', outcome: 'client_gone' }],
    'it left the queue of hashes',
  );

  creating.destroy();
  await untilHungUp(1);
  open();
  while (lines.length < 2) await once(events, 'line');
  const [user] = (await admin('GET', '', 200)).users;
  t.match(lines[1], {
    level: 30,
    msg: 'hung up',
    operationId: 'createUser',
    outcome: 'client_gone',
    authentication: 'accepted',
    event: 'user_created',
    userId: user?.id,
    by: /^admin:[\da-f]{8}$/,
    milliseconds: Number,
  });
  t.notOk(lines[1] && 'status' in lines[1], 'no status was sent');
  t.match(lines.slice(2), [{ msg: 'answered', operationId: 'listUsers' }]);
});
