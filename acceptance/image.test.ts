/** Builds the Dockerfile, and runs what it makes as an operator would: with a read-only root, as a user without rights. */
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { FORM, send } from '../test/support/send.js';
import { SECRET } from '../test/support/service.js';
import { freePort } from '../test/support/temporary-postgresql.js';
import { baseImage, type Container, findContainerEngine, type RunOptions } from './container-engine.js';

const TAG = 'sessions-api';
/** Bytes that the image may add to its base. */
const MOST_ADDED = 80_000_000;
const LOGINS_IN_FLIGHT = 64;

const login = {
  method: 'POST',
  path: '/api/v1/sessions',
  headers: FORM,
  body: 'email=foo%40bar.com&password=correct+horse',
};

async function outcome({ process: child }: Container, input?: string) {
  if (!child.stdin || !child.stdout || !child.stderr) throw new Error('no pipes');
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, stdout, stderr };
}

async function listening({ process: child }: Container): Promise<void> {
  if (!child.stdout) throw new Error('no pipe');
  // Reads on to the end, so that the service never waits for its log to be read.
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => line.includes('http://') && resolve());
    lines.on('close', () => reject(new Error('the service exited before it listened')));
  });
}

/** Resolves `sent` when the whole request is with the operating system, and `status` when it has been answered. */
function startLogin(url: string): { sent: Promise<unknown>; status: Promise<number | undefined> } {
  const { method, path, headers, body } = login;
  const sending = request(`${url}${path}`, { method, headers, agent: false });
  const status = once(sending, 'response').then(async ([response]) => {
    await response.resume().toArray();
    return response.statusCode;
  });
  const sent = once(sending, 'finish');
  sending.end(body);
  return { sent, status };
}

const engine = await findContainerEngine();

t.test('the image', { skip: !engine && 'neither docker, podman nor (as root) buildah works here' }, async (t) => {
  if (!engine) return;
  await engine.build(TAG);
  const config = await engine.config(TAG);
  const volume = t.testdir();
  // The image's user has another id than whoever runs the test.
  await chmod(volume, 0o777);
  const PORT = String(await freePort());
  const url = `http://127.0.0.1:${PORT}`;
  const env = { PORT, HOST: '127.0.0.1' };
  const run = (options: Partial<RunOptions> = {}) => engine.run(TAG, { volume, env, ...options });

  const [whole, base] = [await engine.size(TAG), await engine.size(await baseImage())];
  t.comment(`built with ${engine.name}: ${megabytes(whole - base)} MB on top of ${megabytes(base)} MB`);
  t.ok(whole - base < MOST_ADDED, 'adds little to its base');
  t.ok(config.Labels['org.opencontainers.image.title'], 'has labels');

  const write = 'try { fs.writeFileSync("/app/x", ""); } catch ({ code }) { console.log(code, process.getuid()); }';
  const { stdout: written } = await outcome(await run({ entrypoint: ['node', '--eval', write] }));
  t.match(written, /^(EROFS|EACCES) [1-9]\d*\n$/, 'writes nothing beside its volume, and is not root');

  const health = config.Healthcheck.Test.slice(1);
  t.match(
    await outcome(await run({ entrypoint: health })),
    { code: 1, stderr: /^sessions-api: .*ECONNREFUSED/ },
    'is not healthy while it does not serve',
  );
  t.match(
    await outcome(await run({ args: ['users', 'add', 'foo@bar.com'] }), 'correct horse\n'),
    { code: 0, stdout: '1\n' },
    'adds a user',
  );

  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const DATABASE_URL = `postgresql://sessions@127.0.0.1:${port}/sessions`;
  const starting = await run({ env: { ...env, DATABASE_URL, JWT_SECRET: SECRET } });
  const [asked] = await once(silent, 'connection');
  await starting.kill('SIGTERM');
  t.match(await outcome(starting), { code: 128 + 15 }, 'can be stopped while it starts, though it is process 1');
  asked.destroy();
  silent.close();

  // With all that is loaded only where it is configured: it has to be there.
  const optional = { METRICS_PORT: '0', OTEL_TRACES_EXPORTER: 'console', CORS_ORIGINS: 'https://app.example.com' };
  // Of one user, from one address.
  const limit = { THROTTLE_EMAIL_ADDRESS: String(LOGINS_IN_FLIGHT) };
  const service = await run({ env: { ...env, ...optional, ...limit } });
  await listening(service);
  t.match(await outcome(await run({ entrypoint: health })), { code: 0, stderr: '' }, 'is healthy');
  t.match(await send(url, login), { status: 200, body: /^\{"auth_token":"/ }, 'logs in');
  t.equal((await send(url, { path: '/docs/static/swagger-ui-bundle.js' })).status, 200, 'Swagger UI has its files');

  const logins = Array.from({ length: LOGINS_IN_FLIGHT }, () => startLogin(url));
  let answered = 0;
  for (const { status } of logins) status.then(() => (answered += 1));
  const exited = once(service.process, 'exit');
  await Promise.all(logins.map(({ sent }) => sent));
  // By the time that this is answered, the logins have been read.
  await send(url, { path: '/livez' });
  t.ok(answered < LOGINS_IN_FLIGHT, `${LOGINS_IN_FLIGHT - answered} logins are in flight`);
  await service.kill('SIGTERM');
  t.same(
    await Promise.all(logins.map(({ status }) => status)),
    logins.map(() => 200),
    'every one of them is answered',
  );
  t.same(await exited, [0, null], 'and the exit code is 0');
});

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
