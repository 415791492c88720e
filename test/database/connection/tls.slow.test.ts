import { copyFile, rm, writeFile } from 'node:fs/promises';
import pg from 'pg';
import t from 'tap';
import { run, start, stop } from '../../support/executable.js';
import { FORM, send } from '../../support/send.js';
import { SECRET } from '../../support/service.js';
import { startTlsPostgresql } from '../../support/tls-postgresql.js';

const server = await startTlsPostgresql();
t.teardown(server.stop);
const { directory } = server;
await writeFile(`${directory}/not-pem`, 'text');

const CA = { sslrootcert: `${directory}/ca.crt` };
const CLIENT = { sslcert: `${directory}/client.crt`, sslkey: `${directory}/client.key` };

function urlWith(
  parameters: { [name: string]: string },
  { hostname = 'localhost', pathname = '/postgres' } = {},
): string {
  const url = Object.assign(new URL(server.url), { hostname, pathname });
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

const runWith = (DATABASE_URL: string, ...args: string[]) =>
  run(args, { cwd: directory, env: { DATABASE_URL, JWT_SECRET: SECRET } });

t.test('serves on encrypted connections', async (t) => {
  const DATABASE_URL = urlWith({ sslmode: 'verify-full', ...CA });
  const service = await start(t, { cwd: t.testdir(), env: { DATABASE_URL, JWT_SECRET: SECRET } });
  const body = 'email=foo%40bar.com&password=foobar';
  const login = { method: 'POST', path: '/api/v1/sessions', headers: FORM, body };
  t.equal((await send(service.url, login)).status, 401);
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  const { rows } = await client.query(
    "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'sessions-api'",
  );
  await client.end();
  t.same(rows, [{ ssl: true }]);
  await stop(t, service);
  t.notMatch(service.output(), /not encrypted|Warning/);
});

t.test('the files are read at the start: without them, later connections open too', async (t) => {
  const cwd = t.testdir();
  const ca = `${cwd}/ca.crt`;
  await copyFile(CA.sslrootcert, ca);
  const DATABASE_URL = urlWith({ sslmode: 'verify-full', sslrootcert: ca });
  const service = await start(t, { cwd, env: { DATABASE_URL, JWT_SECRET: SECRET } });
  await rm(ca);
  await endConnections();
  // A connection that has just ended may fail one query.
  while ((await send(service.url, { path: '/readyz' })).status !== 200);
  await stop(t, service);
});

async function endConnections(): Promise<void> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sessions-api'");
  await client.end();
}

for (const sslmode of ['prefer', 'require', 'verify-ca', 'verify-full']) {
  t.test(`sslmode=${sslmode} verifies, and prints no warning of the driver`, async (t) => {
    const { code, stdout, stderr } = await runWith(urlWith({ sslmode, ...CA }), 'serve', '--check');
    t.same({ code, stderr }, { code: 0, stderr: '' });
    t.match(stdout, '/postgres, TLS, ');
    const unknown = await runWith(urlWith({ sslmode }), 'migrate');
    t.equal(unknown.code, 69);
    t.match(unknown.stderr, /^sessions-api: the database at \S+ has a certificate that is not trusted: [^\n]+\n$/);
    const otherName = await runWith(urlWith({ sslmode, ...CA }, { hostname: '127.0.0.1' }), 'migrate');
    t.equal(otherName.code, 69);
    t.match(otherName.stderr, /has a certificate that is not trusted: .*127\.0\.0\.1/);
  });
}

t.test('sslmode=no-verify encrypts, and verifies nothing', async (t) => {
  t.match(await runWith(urlWith({ sslmode: 'no-verify' }), 'migrate'), { code: 0, stderr: '' });
});

t.test('a client’s certificate', async (t) => {
  const pathname = '/template1';
  const refused = await runWith(urlWith({ sslmode: 'verify-full', ...CA }, { pathname }), 'migrate');
  t.equal(refused.code, 77);
  t.match(refused.stderr, /refuses the role: connection requires a valid client certificate/);
  const accepted = await runWith(
    urlWith({ sslmode: 'verify-full', ...CA, ...CLIENT }, { pathname }),
    'serve',
    '--check',
  );
  t.match(accepted, { code: 0, stdout: '/template1, TLS, ' });
});

t.test('a clear connection to another host is a warning', async (t) => {
  const warning =
    /the connection to PostgreSQL at 0\.0\.0\.0 is not encrypted: add sslmode=verify-full to DATABASE_URL/;
  const elsewhere = urlWith({}, { hostname: '0.0.0.0' });
  for (const args of [['migrate'], ['serve', '--check']])
    t.match(await runWith(elsewhere, ...args), { code: 0, stderr: warning }, args.join(' '));
  t.match(await runWith(urlWith({}), 'migrate'), { code: 0, stderr: /^$/ }, 'not to this one');
});

t.test('parameters that are wrong', async (t) => {
  const wrong = [
    [{ sslmod: 'verify-full' }, /DATABASE_URL must not have the parameter sslmod: /],
    [{ SSLMODE: 'verify-full' }, /DATABASE_URL must not have the parameter SSLMODE: /],
    [{ sslmode: 'verify_full' }, /DATABASE_URL must have one of disable, .* as sslmode/],
    [{ ssl: 'false' }, /DATABASE_URL must have one of true, .* as ssl/],
    [{ sslmode: 'verify-full', sslrootcert: '/nowhere' }, /must name a file that can be read as sslrootcert: ENOENT/],
    [{ sslmode: 'verify-full', sslrootcert: `${directory}/not-pem` }, /must name PEM files as sslrootcert/],
    [{ sslmode: 'verify-full', sslcert: CLIENT.sslcert }, /must have both sslcert and sslkey/],
    [{ sslmode: 'verify-full', sslcert: CLIENT.sslcert, sslkey: `${directory}/ca.key` }, /sslkey .* that of sslcert/],
  ] as const;
  for (const [parameters, message] of wrong) {
    const { code, stderr } = await runWith(urlWith(parameters), 'migrate');
    t.equal(code, 78, JSON.stringify(parameters));
    t.match(stderr, message);
    t.notMatch(stderr, new URL(server.url).password);
  }
  const ignored = await runWith(urlWith({ schema: 'public' }), 'migrate');
  t.match(ignored, { code: 0, stderr: 'warning: DATABASE_URL: the parameter schema is ignored' });
});
