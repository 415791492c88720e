import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { loadContract } from '#built/contract/contract.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { command } from '../support/command.js';
import { type Running, run, start } from '../support/executable.js';
import { bearer } from '../support/keys.js';
import { lockSqlite } from '../support/lock-sqlite.js';
import { byLabel, metricsUrlOf, scrape } from '../support/scrape.js';
import { FORM, send } from '../support/send.js';
import { execute, SECRET } from '../support/service.js';
import { CHEAP } from '../support/steady-logins.js';

const EMAIL = 'somebody@secret.example';
const PASSWORD = 'pa55word-that-nobody-should-see';
const LOGIN = { method: 'POST', path: '/api/v1/sessions' };

async function startWithMetrics(t: Test, env: NodeJS.ProcessEnv = {}, cwd = t.testdir()) {
  const service = await start(t, { cwd, env: { METRICS_PORT: '0', ...env } });
  return { service, metricsUrl: await metricsUrlOf(service) };
}

/** Has a login with the service, all but its body. */
async function beginLogin(service: Running, length: number) {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.write(`POST ${LOGIN.path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n`);
  socket.write(`Content-Type: ${FORM['content-type']}\r\n\r\n`);
  await once(socket, 'data'); // 100 Continue
  return socket;
}

t.test('off unless METRICS_PORT is set', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: { METRICS_HOST: '127.0.0.1' } });
  t.equal((await send(service.url, { path: '/metrics' })).status, 404, 'nor are they on the port of the logins');
  t.notMatch(service.output(), 'metrics at');
  const loaded = `import { createRequire } from 'node:module';
    await import('./dist/commands/serve.js');
    console.log(Object.keys(createRequire(import.meta.url).cache).filter((name) => /prom-client/.test(name)).length);`;
  const { output } = await command(process.cwd(), process.execPath, '--input-type=module', '--eval', loaded);
  t.equal(output, '0\n', 'and the library is not even loaded');
});

t.test('counts what happens, and names nobody', async (t) => {
  const cwd = t.testdir();
  const budgets = { THROTTLE_EMAIL_ADDRESS: '2', THROTTLE_ADDRESS: '3', THROTTLE_EMAIL: '4' };
  const hashing = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '8', HASH_QUEUE_MAX: '0' };
  const { service, metricsUrl } = await startWithMetrics(t, { TRUST_PROXY: 'true', ...hashing, ...budgets }, cwd);
  const database = { provider: 'sqlite' as const, file: `${cwd}/data/sessions.db` };
  const { passwordDigest: digest } = await createPasswords({ algorithm: 'bcrypt', cost: 8 }).hash(PASSWORD);
  await execute(
    database,
    `INSERT INTO users (email, password_digest, disabled_at, updated_at) VALUES
      ('${EMAIL}', '${digest}', NULL, CURRENT_TIMESTAMP),
      ('disabled-${EMAIL}', '${digest}', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)`,
  );
  const before = await scrape(metricsUrl);
  const none = { succeeded: 0, unknown_email: 0, wrong_password: 0, disabled: 0 };
  const failures = { throttled: 0, overloaded: 0, database_unavailable: 0, client_gone: 0 };
  t.same(
    byLabel(before, 'sessions_logins_total'),
    { ...none, ...failures },
    'each outcome stands at 0 before it comes',
  );
  t.same(byLabel(before, 'sessions_build_info'), { [loadContract().version]: 1 });
  t.equal(before.samples.get('sessions_database_up'), 1);

  let logins = 0;
  const login = async (email: string, password = PASSWORD, address?: string) => {
    logins += 1;
    const headers = { ...FORM, 'x-forwarded-for': address ?? `198.51.100.${logins}` };
    const body = new URLSearchParams({ email, password }).toString();
    return (await send(service.url, { ...LOGIN, headers, body })).status;
  };

  const began = performance.now();
  t.equal(await login(EMAIL), 200);
  const secondsOfLogin = (performance.now() - began) / 1_000;
  t.equal(await login(EMAIL, 'wrong'), 401);
  t.equal(await login(`disabled-${EMAIL}`), 401);
  // One budget after the other is used up.
  for (const status of [401, 401, 429]) t.equal(await login('a@secret.example', PASSWORD, '192.0.2.1'), status);
  for (const [index, status] of [401, 401, 401, 429].entries())
    t.equal(await login(`b${index}@secret.example`, PASSWORD, '192.0.2.2'), status);
  for (const status of [401, 401, 401, 401, 429]) t.equal(await login('c@secret.example'), status);
  t.equal(await login('no email'), 400);

  let [stormed, refused] = [0, 0];
  while (refused === 0) {
    const emails = Array.from({ length: 40 }, (_, index) => `storm${stormed + index}@secret.example`);
    const storm = await Promise.all(emails.map((email) => login(email)));
    stormed += storm.length;
    refused = storm.filter((status) => status === 503).length;
  }
  (await beginLogin(service, 10)).destroy();
  await service.written('hung up');

  const unlock = lockSqlite(database.file);
  // The answer to a ping is used again for a while, by logins too.
  while ((await send(service.url, { path: '/readyz' })).status === 200);
  t.equal(await login('d@secret.example'), 503, 'a failure could not be counted: no hash');
  t.equal((await scrape(metricsUrl)).samples.get('sessions_database_up'), 0, 'nobody has to ask /readyz');
  unlock();

  const paths = ['/nothing', '/nothing/else?secret=1', '//', '/docs/nothing', '/livez/x'];
  for (const path of paths) t.equal((await send(service.url, { path })).status, 404);
  t.equal((await send(service.url, { path: '/nowhere', method: 'PROPFIND' })).status, 404);
  t.equal((await send(service.url, { path: LOGIN.path })).status, 405);
  t.equal((await send(service.url, { path: '/%zzsecret' })).status, 400);
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.end('secret\r\n\r\n');
  t.match(await text(socket), /^HTTP\/1.1 400 /);

  const after = await scrape(metricsUrl);
  t.same(byLabel(after, 'sessions_logins_total'), {
    succeeded: 1,
    unknown_email: 2 + 3 + 4 + stormed - refused,
    wrong_password: 1,
    disabled: 1,
    throttled: 3,
    overloaded: refused,
    database_unavailable: 1,
    client_gone: 1,
  });
  t.same(byLabel(after, 'sessions_throttled_requests_total'), { email_address: 1, address: 1, email: 1 });
  t.same(
    byLabel(after, 'sessions_unreadable_requests_total'),
    { 400: 3, 408: 0, 431: 0 },
    'a URL, no HTTP, half a body',
  );
  const count = (sample: string) => after.samples.get(sample);
  const requests = (operation: string, status: number) =>
    count(`sessions_request_duration_seconds_count{operation="${operation}",status="${status}"}`);
  t.equal(requests('createSession', 200), 1);
  t.equal(requests('createSession', 400), 1);
  t.equal(requests('unknown', 405), 1);
  t.equal(requests('createSession', 429), 3);
  t.equal(requests('createSession', 499), 1);
  t.equal(requests('createSession', 500), 0, 'what has not happened yet');
  t.equal(requests('createSession', 503), refused + 1);
  t.equal(requests('unknown', 404), paths.length + 1);
  const hashes = count('sessions_hash_duration_seconds_count') ?? 0;
  t.equal(
    hashes,
    1 + 3 + 9 + stormed - refused,
    'at the start, and for each login that was neither refused nor throttled',
  );
  t.equal(count('sessions_hash_wait_seconds_count'), hashes);
  const hashed = count('sessions_hash_duration_seconds_sum') ?? 0;
  const logins200 = count('sessions_request_duration_seconds_sum{operation="createSession",status="200"}') ?? 0;
  t.ok(logins200 > 0 && logins200 < secondsOfLogin, 'in seconds');
  const ofLogins = [...after.samples].filter(([name]) =>
    name.includes('duration_seconds_sum{operation="createSession"'),
  );
  const inLogins = ofLogins.reduce((sum, [, seconds]) => sum + seconds, 0);
  t.ok(hashed > 0 && hashed < inLogins, 'in seconds, too');
  t.equal(count('sessions_hash_queue_length'), 0);
  t.equal(count('sessions_hashes_running'), 0);
  t.ok((count('sessions_database_errors_total') ?? 0) >= 1);
  for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'])
    t.ok(after.samples.has(name), name);

  const operations = new Set([...after.text.matchAll(/operation="([^"]*)"/g)].map(([, value]) => value));
  const known = loadContract().operations.map(({ id }) => id);
  t.same([...operations].sort(), [...known, 'unknown'].sort(), 'no label value comes from a URL');
  t.notMatch(after.text, /secret|pa55word|198\.51|192\.0\.2|nothing|nowhere|PROPFIND/);
});

t.test(
  'answers GET /metrics alone, while the service stops too, which nobody who is connected there delays',
  async (t) => {
    const { service, metricsUrl } = await startWithMetrics(t, { METRICS_HOST: '::1' });
    t.match(metricsUrl, /^http:\/\/\[::1\]:\d+\/metrics$/);
    const { origin } = new URL(metricsUrl);
    const reply = await send(origin, { path: '/metrics?debug' });
    t.match(reply.headers, { 'content-type': /^text\/plain; version=0\.0\.4/ });
    t.equal(reply.status, 200);
    for (const path of ['/', '/metrics/', LOGIN.path, '/livez']) t.equal((await send(origin, { path })).status, 404);
    for (const method of ['POST', 'HEAD', 'DELETE']) {
      t.match(await send(origin, { path: '/metrics', method }), { status: 405, headers: { allow: 'GET' } }, method);
    }

    const idle = connect(Number(new URL(metricsUrl).port), '::1');
    await once(idle, 'connect');
    const body = 'email=foo%40bar.com&password=foobar';
    const inFlight = await beginLogin(service, body.length);
    service.kill('SIGTERM');
    await service.written('stopping');
    const { samples } = await scrape(metricsUrl);
    t.equal(samples.get('sessions_logins_total{outcome="unknown_email"}'), 0);
    inFlight.write(body);
    t.match(await text(inFlight), /^HTTP\/1.1 401 /);
    t.equal(await service.exited, 0);
  },
);

t.test('says that the port is taken', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stdout, stderr } = await run([], { cwd: t.testdir(), env: { METRICS_PORT: String(port) } });
  t.equal(code, 71);
  t.match(stderr, new RegExp(`^sessions-api: METRICS_HOST and METRICS_PORT: .*EADDRINUSE.*${port}\\n$`));
  t.notMatch(stdout, 'listening', 'before it has served anybody');
});

t.test('counts reloads', async (t) => {
  const cwd = t.testdir({ secret: `${SECRET}\n` });
  const { service, metricsUrl } = await startWithMetrics(t, { JWT_SECRET_FILE: 'secret' }, cwd);
  service.kill('SIGHUP');
  await service.written('changed: nothing');
  await writeFile(`${cwd}/secret`, 'too short');
  service.kill('SIGHUP');
  await service.written('nothing is changed');
  t.same(byLabel(await scrape(metricsUrl), 'sessions_reloads_total'), { succeeded: 1, failed: 1 });
});

t.test('counts who called with which token, and log-outs', async (t) => {
  const cwd = t.testdir();
  await run(['users', 'add', EMAIL], { cwd, env: CHEAP, input: PASSWORD });
  const { service, metricsUrl } = await startWithMetrics(t, CHEAP, cwd);
  const body = new URLSearchParams({ email: EMAIL, password: PASSWORD }).toString();
  const login = () => send(service.url, { ...LOGIN, headers: FORM, body });
  const authorized = async () => bearer(JSON.parse((await login()).body).auth_token);
  const headers = await authorized();
  const session = { path: '/api/v1/session' };
  for (const request of [
    session,
    { ...session, headers },
    { ...session, headers: bearer('no.good.token') },
    { ...session, headers, method: 'DELETE' },
    { ...session, headers },
  ]) {
    await send(service.url, request);
  }
  await send(service.url, { path: '/api/v1/user/sessions', method: 'DELETE', headers: await authorized() });
  const samples = await scrape(metricsUrl);
  t.same(byLabel(samples, 'sessions_authentications_total'), {
    accepted: 3,
    no_token: 1,
    invalid_token: 1,
    expired_token: 0,
    revoked_token: 1,
    unknown_user: 0,
    disabled_user: 0,
  });
  t.same(byLabel(samples, 'sessions_revocations_total'), { session: 1, all_sessions: 1, other_sessions: 0 });
});
