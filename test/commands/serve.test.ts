import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { readMigrations } from '#built/database/migrations/migrations.js';
import { command } from '../support/command.js';
import { MAIN, run, start, stop } from '../support/executable.js';
import { FORM, send } from '../support/send.js';
import { createDatabase, SECRET } from '../support/service.js';

const login = { method: 'POST', path: '/api/v1/sessions', headers: FORM, body: 'email=foo%40bar.com&password=foobar' };

t.test('serves with nothing set, from an empty directory', async (t) => {
  const cwd = t.testdir();
  const added = await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { cwd, input: 'foobar\n' });
  t.match(added, { code: 0, stdout: '1\n', stderr: `created the database ${cwd}/data/sessions.db\n` });
  const service = await start(t, { cwd });
  const reply = await send(service.url, login);
  t.equal(reply.status, 200);

  const secretFile = `${cwd}/data/sessions.db.jwt-secret`;
  t.equal((await stat(secretFile)).mode & 0o777, 0o600, 'the secret is kept beside the database, for its owner alone');
  const [header, payload, signature] = JSON.parse(reply.body).auth_token.split('.');
  const secret = await readFile(secretFile, 'utf8');
  t.equal(signature, createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url'));

  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
  t.notMatch(service.output(), /foobar|foo@bar|foo%40bar/, 'neither password nor email is logged');
  t.notMatch(service.output(), secret);

  const again = await start(t, { cwd });
  const payloadOf = async (url: string) => JSON.parse((await send(url, login)).body).auth_token.split('.')[0];
  t.equal(await payloadOf(again.url), header, 'and starts again on the same database');
  t.equal(await readFile(secretFile, 'utf8'), secret, 'with the same secret');
});

t.test('a database that was restored without its secret is refused, where users exist', async (t) => {
  const cwd = t.testdir();
  const secretFile = `${cwd}/data/sessions.db.jwt-secret`;
  await stop(t, await start(t, { cwd }));
  const secret = await readFile(secretFile, 'utf8');
  await rm(secretFile);
  await stop(t, await start(t, { cwd }));
  t.not(await readFile(secretFile, 'utf8'), secret, 'without users a new one is generated');

  await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { cwd, input: 'foobar\n' });
  await rm(secretFile);
  const { code, stderr } = await run([], { cwd, env: { LOG_LEVEL: 'silent' } });
  t.equal(code, 78);
  t.match(
    stderr,
    /data\/sessions\.db\.jwt-secret is missing, .* restore it with the database, or write at least 32 bytes of random text/,
  );
  t.notOk(existsSync(secretFile));
  await writeFile(secretFile, SECRET);
  await stop(t, await start(t, { cwd }));
  await rm(secretFile);
  await stop(t, await start(t, { cwd, env: { JWT_SECRET: SECRET } }));
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} finishes the requests in flight, and exits 0`, async (t) => {
    const service = await start(t, { cwd: t.testdir() });
    const { port } = new URL(service.url);
    const idle = connect(Number(port), '127.0.0.1');
    idle.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle, 'data');
    idle.write('\r\n'); // As old clients do, after a body.

    const inFlight = connect(Number(port), '127.0.0.1');
    const head = `POST ${login.path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${login.body.length}\r\nExpect: 100-continue\r\n`;
    inFlight.write(`${head}Content-Type: ${FORM['content-type']}\r\n\r\n`);
    await once(inFlight, 'data'); // 100 Continue: the request is with the service.

    const silent = connect(Number(port), '127.0.0.1');
    await once(silent, 'connect');
    await send(service.url, { path: '/livez' }); // Behind it, so it is with the service too.

    service.kill(signal);
    await Promise.all([once(idle, 'close'), once(silent, 'close')]);
    inFlight.write(login.body);
    const answer = await text(inFlight);
    t.match(answer, /^HTTP\/1.1 401 /);
    t.match(answer, /connection: close/i);
    t.equal(await service.exited, 0);
  });
}

t.test('goes on for SHUTDOWN_DELAY_SECONDS, but is no longer ready', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: { SHUTDOWN_DELAY_SECONDS: '300' } });
  t.equal((await send(service.url, { path: '/readyz' })).status, 200);
  const idle = connect(Number(new URL(service.url).port), '127.0.0.1');
  idle.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(idle, 'data');

  service.kill('SIGTERM');
  await service.written('stopping');
  const unready = await send(service.url, { path: '/readyz' });
  t.equal(unready.status, 503);
  t.match(unready.headers, { 'retry-after': /^\d+$/, connection: 'close' });
  t.equal((await send(service.url, login)).status, 401, 'new connections are served');
  idle.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  const answer = await text(idle);
  t.match(answer, /^HTTP\/1.1 200 /, 'open ones too');
  t.match(answer, /connection: close/i, 'and are told that it was the last time');
});

t.test('stops after SHUTDOWN_DELAY_SECONDS', async (t) => {
  await stop(t, await start(t, { cwd: t.testdir(), env: { SHUTDOWN_DELAY_SECONDS: '1' } }));
});

t.test('a second signal exits at once', async (t) => {
  const service = await start(t, { cwd: t.testdir() });
  const inFlight = connect(Number(new URL(service.url).port), '127.0.0.1').on('error', () => {});
  inFlight.write(`POST ${login.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n`);
  inFlight.write(`Content-Type: ${FORM['content-type']}\r\n\r\n`);
  await once(inFlight, 'data');
  service.kill('SIGTERM');
  await service.written('stopping');
  service.kill('SIGINT');
  t.equal(await service.exited, 1);
});

t.test('one Ctrl-C under npm, which sends it on, is one signal', async (t) => {
  // In a service whose clock stands still, both come at one time.
  const NODE_OPTIONS = '--import=data:text/javascript,performance.now=()=>0';
  const service = await start(t, { cwd: t.testdir(), env: { npm_lifecycle_event: 'start', NODE_OPTIONS } });
  service.kill('SIGINT');
  await service.written('stopping');
  service.kill('SIGINT');
  t.equal(await service.exited, 0);
});

t.test('says all that is wrong with the environment at once, and exits 78', async (t) => {
  const env = {
    PORT: '70000',
    DATABASE_URL: 'mysql://user:pa55word@host/db',
    JWT_SECRET: 'short and secret',
    TOKEN_TTL_SECONDS: '1h',
    PASSWORD_HASHING: 'md5',
    BCRYPT_COST: '3',
    LOG_LEVEL: 'loud',
    TRUST_PROXY: 'maybe',
    OTEL_TRACES_EXPORTER: 'zipkin',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
  };
  const { code, stdout, stderr } = await run([], { cwd: t.testdir(), env });
  t.equal(code, 78);
  t.equal(stdout, '');
  for (const name of Object.keys(env)) t.match(stderr, new RegExp(`^  ${name} must `, 'm'));
  t.notMatch(stderr, /pa55word|short and secret/);
  t.notMatch(stderr, /^ +at /m, 'no stack');
});

t.test('every command takes secrets from files', async (t) => {
  const cwd = t.testdir({ url: 'file:./elsewhere.db\n', secret: `${SECRET}\n`, short: 'short and secret' });
  const env = { DATABASE_URL_FILE: 'url', JWT_SECRET_FILE: 'secret' };
  t.equal((await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { cwd, env, input: 'foobar\n' })).stdout, '1\n');
  t.equal((await run(['migrate'], { cwd, env })).stdout, 'nothing to apply\n');
  t.ok((await stat(`${cwd}/elsewhere.db`)).size > 0);
  const service = await start(t, { cwd, env });
  t.equal((await send(service.url, login)).status, 200);
  const demo = await start(t, { cwd, env }, ['demo']);
  t.equal((await send(demo.url, login)).status, 200, 'on a database of its own');

  for (const args of [['serve'], ['migrate'], ['users', 'list']]) {
    const wrong = { DATABASE_URL_FILE: 'nowhere', JWT_SECRET_FILE: 'short' };
    const { code, stdout, stderr } = await run(args, { cwd, env: wrong });
    t.match({ code, stdout }, { code: 78, stdout: '' }, args.join(' '));
    t.match(
      stderr,
      /^ {2}DATABASE_URL_FILE must name a file that can be read.*\n {2}JWT_SECRET_FILE: the content must /m,
    );
    t.notMatch(stderr, /short and secret/);
  }
});

t.test('a secret from process substitution', async (t) => {
  const cwd = t.testdir();
  const migrated = await command(
    cwd,
    'bash',
    '-c',
    `DATABASE_URL_FILE=<(sleep 0.5; echo file:x.db) node ${MAIN} migrate`,
  );
  t.match(migrated, { code: 0, output: `created ${cwd}/x.db\n` });
});

t.test('needs JWT_SECRET on PostgreSQL, and says why', async (t) => {
  const env = { DATABASE_URL: 'postgresql://sessions:pa55word@127.0.0.1:1/sessions' };
  const { code, stderr } = await run(['serve'], { cwd: t.testdir(), env });
  t.equal(code, 78);
  t.match(stderr, /JWT_SECRET must be set when DATABASE_URL is PostgreSQL/);
  t.notMatch(stderr, /pa55word/);
});

t.test('says that PostgreSQL is not there', async (t) => {
  const DATABASE_URL = 'postgresql://sessions:pa55word@127.0.0.1:1/sessions';
  const env = { DATABASE_URL, JWT_SECRET: SECRET };
  for (const args of [['serve'], ['serve', '--check'], ['migrate'], ['users', 'add', 'foo@bar.com']]) {
    const { code, stdout, stderr } = await run(args, { cwd: t.testdir(), env, input: 'foobar\n' });
    t.equal(code, 69, args.join(' '));
    t.equal(stdout, '');
    t.match(
      stderr,
      /^sessions-api: the database at postgresql:\/\/127\.0\.0\.1:1\/sessions does not answer: .+\n$/,
      'one line',
    );
    t.notMatch(stderr, /pa55word/);
  }
});

t.test('says that the port is taken', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await run([], { cwd: t.testdir(), env: { PORT: String(port), LOG_LEVEL: 'warn' } });
  t.equal(code, 71);
  t.match(stderr, new RegExp(`^sessions-api: HOST and PORT: .*EADDRINUSE.*${port}\\n$`));
});

for (const provider of PROVIDERS) {
  t.test(`two that start at once on one empty ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = {
      DATABASE_URL: await createDatabase(t, provider),
      ...(provider === 'postgresql' && { JWT_SECRET: SECRET }),
    };
    const services = await Promise.all([start(t, { cwd, env }), start(t, { cwd, env })]);
    const { stdout } = await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { cwd, env, input: 'foobar' });
    t.equal(stdout, '1\n');
    const headers = await Promise.all(
      services.map(async ({ url }) => {
        const { status, body } = await send(url, login);
        t.equal(status, 200);
        const [header, payload, signature] = JSON.parse(body).auth_token.split('.');
        return { header, payload: JSON.parse(Buffer.from(payload, 'base64url').toString()).user_id, signature };
      }),
    );
    t.same(
      headers.map(({ payload }) => payload),
      [1, 1],
    );
    const applied = services.flatMap((service) => service.output().match(/(?<=applied migration )\w+/g) ?? []);
    const names = readMigrations(provider).map(({ name }) => name);
    t.same(applied.sort(), names, 'each migration is applied once, by either of the two');
    const third = await run(['migrate'], { cwd, env });
    t.equal(third.stdout, 'nothing to apply\n');
  });
}

for (const provider of PROVIDERS) {
  t.test(`migrate does only that on ${provider}`, async (t) => {
    const options = { cwd: t.testdir(), env: { DATABASE_URL: await createDatabase(t, provider) } };
    t.match(await run(['migrate'], options), {
      code: 0,
      stdout: /^(created .+sessions\.db\n)?applied \d{14}_create_users\n(applied .+\n)*$/,
      stderr: '',
    });
    t.match(await run(['migrate'], options), { code: 0, stdout: 'nothing to apply\n', stderr: '' });
  });
}

t.test('demo prints a command that gets a token', async (t) => {
  const cwd = t.testdir();
  for (const time of ['the first time', 'and again']) {
    const service = await start(t, { cwd }, ['demo']);
    await service.written('Ctrl-C');
    const [, url = '', body = ''] = service.output().match(/curl (\S+) -d '(.+)'/) ?? [];
    const reply = await send(url, { ...login, path: '', body });
    t.equal(reply.status, 200, time);
    t.match(service.output(), `${service.url}/docs`);
    service.kill('SIGINT');
    t.equal(await service.exited, 0);
  }
});

t.test('the start logs the version, the database, and the settings that differ from their defaults', async (t) => {
  const cwd = t.testdir();
  const env = { JWT_SECRET: SECRET, TOKEN_TTL_SECONDS: '60', THROTTLE_EMAIL: '200', JWT_SECRET_KEY: 'x' };
  const service = await start(t, { cwd, env });
  const lines = service.output().split('\n');
  const first = lines.findIndex((line) => line.includes('"version"'));
  t.match(JSON.parse(lines[first] ?? ''), {
    version: /^\d+\.\d+\.\d+$/,
    database: `file:${cwd}/data/sessions.db`,
    settings: { PORT: '0', JWT_SECRET: 'set', TOKEN_TTL_SECONDS: '60' },
  });
  t.notMatch(lines[first], /THROTTLE_EMAIL/);
  t.match(lines[first + 1], /JWT_SECRET_KEY is not a variable of this version: JWT_SECRET is similar/);
  t.notMatch(service.output(), SECRET);
});

t.test('a misspelt DATABASE_URL creates no database', async (t) => {
  const cwd = t.testdir();
  for (const args of [['serve'], ['users', 'add', 'foo@bar.com'], ['migrate']]) {
    const { code, stderr } = await run(args, { cwd, env: { DATABSE_URL: 'file:users.db' }, input: 'foobar\n' });
    t.equal(code, 78);
    t.match(stderr, /DATABSE_URL is not a variable of this version: DATABASE_URL is similar/);
  }
  t.same(await readdir(cwd), []);
});
