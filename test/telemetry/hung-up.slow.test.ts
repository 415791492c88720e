import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import pg from 'pg';
import t from 'tap';
import { adminRequest, PASSWORD, startApplication } from '../support/application.js';
import { createGatedPasswords } from '../support/gated-passwords.js';
import { bearer } from '../support/keys.js';
import { JSON_TYPE, type Request } from '../support/send.js';
import { createDatabase } from '../support/service.js';
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
  const { passwords, untilAsked, untilBegun, untilHungUp, open } = createGatedPasswords(1);
  const { url, admin } = await startApplication(t, 'sqlite', { passwords, logTo, loginTimeout: 60_000 });

  const creating = await begin(url, adminRequest('POST', '', { email: 'foo@bar.com', password: PASSWORD }));
  await untilBegun(1);
  const login = await begin(url, loginRequest());
  await untilAsked(2);
  login.destroy();
  while (lines.length === 0) await once(events, 'line');
  t.match(
    lines,
    [{ msg: 'hung up', operationId: 'createSession', outcome: 'client_gone' }],
    'it left the queue of hashes',
  );

  creating.destroy();
  await untilHungUp(2);
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

t.test('a client that hangs up before its body is read leaves a line too', async (t) => {
  const databaseUrl = await createDatabase(t, 'postgresql');
  const events = new EventEmitter();
  const lines: { [field: string]: unknown }[] = [];
  const logTo = {
    write(text: string) {
      lines.push(JSON.parse(text));
      events.emit('line');
    },
  };
  const { url, create, tokenOf } = await startApplication(t, 'postgresql', {
    databaseUrl,
    logTo,
    loginTimeout: 60_000,
  });
  await create('foo@bar.com');
  const token = await tokenOf('foo@bar.com');
  const database = new pg.Client(databaseUrl);
  await database.connect();
  t.teardown(() => database.end());

  await database.query('BEGIN; LOCK TABLE sessions');
  const request = {
    method: 'POST',
    path: '/api/v1/user/password',
    headers: { ...bearer(token), ...JSON_TYPE },
    body: '{}',
  };
  const client = await begin(url, request);
  const waiting = `SELECT FROM pg_locks WHERE NOT granted AND relation = 'sessions'::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  while ((await database.query(waiting)).rowCount === 0);
  client.destroy();
  await once(client, 'close');
  await database.query('COMMIT');
  const isDone = () => lines.some(({ operationId }) => operationId === 'changePassword');
  while (!isDone()) await once(events, 'line');
  t.ok(isDone());
});
