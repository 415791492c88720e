import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import t from 'tap';
import { createAuthority, createCertificate } from '../../support/certificates.js';
import { run, start, stop } from '../../support/executable.js';
import { FORM, send } from '../../support/send.js';
import { SECRET } from '../../support/service.js';
import { startTemporaryPostgresql } from '../../support/temporary-postgresql.js';

const directory = await mkdtemp(join(tmpdir(), 'sessions-api-tls-'));
t.teardown(() => rm(directory, { recursive: true }));
await createAuthority(directory);
for (const [name, commonName] of [
  ['server', 'localhost'],
  ['client', 'sessions'],
] as const)
  await createCertificate(directory, name, commonName);
await writeFile(`${directory}/not-pem`, 'text');
// A database `postgres` that takes both, and `template1` that asks for the client's certificate.
await writeFile(
  `${directory}/pg_hba.conf`,
  'hostssl template1 all all scram-sha-256 clientcert=verify-full\nhost postgres all all scram-sha-256\n',
);
if (process.getuid?.() === 0) {
  // PostgreSQL runs as another user.
  await chmod(directory, 0o755);
  for (const file of ['server.key', 'pg_hba.conf'])
    await promisify(execFile)('chown', ['postgres', `${directory}/${file}`]);
}
const settings = {
  ssl: 'on',
  ssl_cert_file: `${directory}/server.crt`,
  ssl_key_file: `${directory}/server.key`,
  ssl_ca_file: `${directory}/ca.crt`,
  hba_file: `${directory}/pg_hba.conf`,
  listen_addresses: '*',
};
const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
const server = await startTemporaryPostgresql(flags);
t.teardown(server.stop);

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

t.test('each new connection reads the files again', async (t) => {
  const cwd = t.testdir();
  const ca = `${cwd}/ca.crt`;
  await copyFile(CA.sslrootcert, ca);
  const DATABASE_URL = urlWith({ sslmode: 'verify-full', sslrootcert: ca });
  const service = await start(t, { cwd, env: { DATABASE_URL, JWT_SECRET: SECRET } });
  const answers = async (status: number) => {
    while ((await send(service.url, { path: '/readyz' })).status !== status) await endConnections();
  };
  await rename(ca, `${ca}.old`);
  await answers(503);
  await rename(`${ca}.old`, ca);
  await answers(200);
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
