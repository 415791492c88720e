import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { run, start } from '../support/executable.js';
import { FORM, JSON_TYPE, send } from '../support/send.js';
import { execute, SECRET } from '../support/service.js';
import { startTemporaryPostgresql } from '../support/temporary-postgresql.js';

const EMAIL = 'somebody@secret.example';
const PASSWORD = 'pa55word-that-nobody-should-see';

/** What must not stand in the log, as it is and in the ways in which it travels. */
const SECRETS = [EMAIL, PASSWORD, SECRET, 'pg-pa55word', 'somebody', 'argon2id', 'eyJ'].flatMap((secret) => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64url'),
]);

t.test('the log tells what happened, and no secret', async (t) => {
  const postgresql = await startTemporaryPostgresql();
  t.teardown(() => postgresql.stop());
  const href = postgresql.url;
  const env = { DATABASE_URL: href, JWT_SECRET: SECRET, LOG_LEVEL: 'trace', TRUST_PROXY: 'true', HASH_QUEUE_MAX: '2' };
  const cwd = t.testdir();
  for (const email of [EMAIL, `disabled-${EMAIL}`]) await run(['users', 'add', email], { cwd, env, input: PASSWORD });
  await execute({ provider: 'postgresql', href }, `UPDATE users SET disabled_at = now() WHERE email LIKE 'disabled%'`);
  const service = await start(t, { cwd, env });

  const login = (email: string, password: string, more: object = {}) =>
    send(service.url, {
      method: 'POST',
      path: '/api/v1/sessions',
      headers: { ...FORM, ...more },
      body: new URLSearchParams({ email, password }).toString(),
    });
  const json = (body: string) =>
    send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: JSON_TYPE, body });

  t.equal((await login(EMAIL, PASSWORD, { 'x-request-id': 'the-success' })).status, 200);
  t.equal((await login(EMAIL, `not-${PASSWORD}`)).status, 401);
  t.equal((await login(`nobody-${EMAIL}`, PASSWORD)).status, 401);
  t.equal((await login(`disabled-${EMAIL}`, PASSWORD)).status, 401);
  t.equal((await login(EMAIL, PASSWORD, { authorization: `Bearer ${PASSWORD}`, cookie: PASSWORD })).status, 200);
  t.equal((await login(PASSWORD, PASSWORD)).status, 400);
  t.equal((await login(EMAIL, PASSWORD, { 'content-type': `text/${PASSWORD}` })).status, 415);
  t.equal((await json(`{"email":"${EMAIL}","password":"${PASSWORD}"`)).status, 400);
  t.equal((await json(`{"email":"${EMAIL}","${PASSWORD}":"${PASSWORD}","password":["${PASSWORD}"]}`)).status, 400);
  t.equal((await send(service.url, { path: `/${EMAIL}/${PASSWORD}?password=${PASSWORD}` })).status, 404);
  t.equal((await send(service.url, { path: `/%zz${PASSWORD}` })).status, 400);
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.end(`${PASSWORD}\r\n${PASSWORD}: ${PASSWORD}\r\n\r\n`);
  t.match(await text(socket), /^HTTP\/1.1 400 /);
  for (let failure = 0; failure < 11; failure += 1) await login('guessed@secret.example', PASSWORD);
  let storms = 0;
  for (let overloaded = false; !overloaded; storms += 1) {
    const storm = await Promise.all(Array.from({ length: 40 }, () => login(EMAIL, PASSWORD)));
    overloaded = storm.some(({ status }) => status === 503);
  }
  await postgresql.stop();
  t.equal((await login(EMAIL, PASSWORD)).status, 503);
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);

  const lines = service
    .output()
    .split('\n')
    .map((line) => JSON.parse(line));
  const answered = lines.filter(({ operationId }) => operationId === 'createSession');
  const [success] = answered;
  t.match(success, { requestId: 'the-success', status: 200, outcome: 'succeeded', userId: 1, milliseconds: Number });
  const outcomes = new Set(answered.map(({ outcome }) => outcome));
  for (const outcome of [
    'succeeded',
    'unknown_email',
    'wrong_password',
    'disabled',
    'throttled',
    'overloaded',
    'database_unavailable',
  ]) {
    t.ok(outcomes.has(outcome), outcome);
  }
  t.match(
    answered.find(({ outcome }) => outcome === 'wrong_password'),
    { status: 401, userId: 1 },
  );
  t.match(
    answered.find(({ outcome }) => outcome === 'throttled'),
    { status: 429, budget: 'email_address' },
  );
  t.equal(answered.length, 4 + 1 + 4 + 11 + 40 * storms + 1, 'one line for each request');
  for (const secret of SECRETS) t.notOk(service.output().includes(secret), `no ${secret}`);
});

t.test('a readiness probe is logged at debug while its reply is 200', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: { LOG_LEVEL: 'debug', SHUTDOWN_DELAY_SECONDS: '300' } });
  for (const method of ['GET', 'HEAD', 'POST']) await send(service.url, { method, path: '/readyz' });
  await send(service.url, { path: '/livez' });
  service.kill('SIGTERM');
  await service.written('stopping');
  await send(service.url, { path: '/readyz' });
  await service.written('"status":503');
  const answered = service
    .output()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === 'answered');
  t.same(
    answered.map(({ level, operationId, status }) => [level, operationId, status]),
    [
      [20, 'getReadiness', 200],
      [20, 'getReadiness', 200],
      [30, undefined, 405],
      [30, 'getLiveness', 200],
      [30, 'getReadiness', 503],
    ],
  );
});
