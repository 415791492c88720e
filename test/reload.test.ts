import { createHmac, randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import t, { type Test } from 'tap';
import { type Options, type Running, run, start } from './executable.js';
import { FORM, send } from './send.js';
import { createDatabase, execute, SECRET } from './service.js';

const NEW_SECRET = 'another secret that only the tests know, and no service';
const CHEAP = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };

/** As whoever keeps secrets does it: a reader finds the one or the other, and never a half. */
async function replaceFile(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

async function startWithUser(t: Test, options: Options): Promise<Running> {
  await run(['users', 'add', 'foo@bar.com'], { ...options, input: 'foobar\n' });
  return start(t, options);
}

function login(url: string) {
  return send(url, {
    method: 'POST',
    path: '/api/v1/sessions',
    headers: FORM,
    body: 'email=foo%40bar.com&password=foobar',
  });
}

async function getToken(url: string): Promise<string> {
  const { status, body } = await login(url);
  if (status !== 200) throw new Error(`login was answered with ${status}`);
  return JSON.parse(body).auth_token;
}

function isSignedWith(secret: string, token: string): boolean {
  const [header, payload, signature] = token.split('.');
  return createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url') === signature;
}

/** Logs in all the time, over eight connections at once. */
function keepLoggingIn(url: string) {
  let going = true;
  let waiting: { atLeast: number; resolve(): void } | undefined;
  const replies: { status: number; body: string }[] = [];
  const loop = async () => {
    while (going) {
      replies.push(await login(url).catch((error) => ({ status: 0, body: String(error) })));
      if (waiting && replies.length >= waiting.atLeast) waiting.resolve();
    }
  };
  const loops = Array.from({ length: 8 }, loop);
  return {
    /** Resolves when so many more have been answered. */
    more: (count: number) =>
      new Promise<void>((resolve) => {
        waiting = { atLeast: replies.length + count, resolve };
      }),
    async stop() {
      going = false;
      await Promise.all(loops);
      return { failed: replies.filter(({ status }) => status !== 200), tokens: replies.map(tokenOf) };
    },
  };
}

function tokenOf({ status, body }: { status: number; body: string }): string {
  return status === 200 ? JSON.parse(body).auth_token : '';
}

t.test('a new JWT secret under steady logins', async (t) => {
  const cwd = t.testdir({ secret: `${SECRET}\n` });
  const service = await startWithUser(t, { cwd, env: { ...CHEAP, JWT_SECRET_FILE: 'secret' } });
  const logins = keepLoggingIn(service.url);
  await logins.more(40);
  await replaceFile(`${cwd}/secret`, `${NEW_SECRET}\n`);
  await logins.more(20);
  service.kill('SIGHUP');
  await service.written('re-read JWT_SECRET_FILE; changed: the JWT secret');
  t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)), 'who logs in now gets a token with the new secret');
  await logins.more(40);
  const { failed, tokens } = await logins.stop();
  t.same(failed, [], 'no login failed');
  const signedWithOld = tokens.filter((token) => isSignedWith(SECRET, token)).length;
  const signedWithNew = tokens.filter((token) => isSignedWith(NEW_SECRET, token)).length;
  t.equal(signedWithOld + signedWithNew, tokens.length, 'each token is signed with the one or the other');
  t.ok(signedWithOld >= 60 && signedWithNew >= 30, `${signedWithOld} with the old one, ${signedWithNew} with the new`);

  for (const [content, fault] of [
    ['too short and still secret', /JWT_SECRET_FILE: the content has to have at least 32 bytes/],
    ['\n', /JWT_SECRET_FILE has to name a file that is not empty/],
    [undefined, /JWT_SECRET_FILE has to name a file that can be read: ENOENT/],
  ] as const) {
    await (content === undefined ? rm(`${cwd}/secret`) : replaceFile(`${cwd}/secret`, content));
    const errors = () =>
      service
        .output()
        .split('\n')
        .filter((line) => line.includes('nothing is changed'));
    const before = errors().length;
    service.kill('SIGHUP');
    while (errors().length === before) await login(service.url);
    t.match(errors().at(-1), fault);
    t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)), 'and the secret stays as it is');
  }
  t.notMatch(service.output(), /still secret|only the tests know/);
});

t.test('without a file SIGHUP changes nothing', async (t) => {
  const service = await startWithUser(t, { cwd: t.testdir(), env: { ...CHEAP, JWT_SECRET: SECRET } });
  service.kill('SIGHUP');
  await service.written('SIGHUP: no secret comes from a file');
  t.ok(isSignedWith(SECRET, await getToken(service.url)));
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('the secret beside the database is a file, too', async (t) => {
  const cwd = t.testdir();
  const service = await startWithUser(t, { cwd, env: CHEAP });
  await replaceFile(`${cwd}/data/sessions.db.jwt-secret`, NEW_SECRET);
  service.kill('SIGHUP');
  await service.written('re-read the JWT secret beside the database; changed: the JWT secret');
  t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)));
});

t.test('a new password of the database’s role under steady logins', async (t) => {
  const admin = new URL(await createDatabase(t, 'postgresql'));
  const role = `role_${randomUUID().replaceAll('-', '')}`;
  const asAdmin = (sql: string) => execute({ provider: 'postgresql', href: admin.href }, sql);
  await asAdmin(`CREATE ROLE ${role} LOGIN PASSWORD 'old'`);
  await asAdmin(`ALTER DATABASE ${admin.pathname.slice(1)} OWNER TO ${role}`);
  const urlWith = (password: string) => Object.assign(new URL(admin), { username: role, password }).href;
  const cwd = t.testdir({ url: urlWith('old') });
  const env = { ...CHEAP, JWT_SECRET: SECRET, DATABASE_URL_FILE: 'url' };
  const service = await startWithUser(t, { cwd, env });

  const connection = await new PrismaPg({ connectionString: admin.href }).connect();
  t.teardown(() => connection.dispose());
  const query = async (sql: string) => (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
  const backends = async () => {
    const rows = await query(`SELECT pid FROM pg_stat_activity WHERE usename = '${role}'`);
    return rows.map(([pid]) => Number(pid));
  };

  const logins = keepLoggingIn(service.url);
  await logins.more(100);
  const old = await backends();
  t.ok(old.length > 0);
  await asAdmin(`ALTER ROLE ${role} PASSWORD 'new'`);
  await replaceFile(`${cwd}/url`, urlWith('new'));
  service.kill('SIGHUP');
  await service.written('re-read DATABASE_URL_FILE; changed: the URL of the database');
  await logins.more(40);
  while ((await backends()).some((pid) => old.includes(pid))) await logins.more(1);
  const { failed, tokens } = await logins.stop();
  t.same(failed, [], `none of ${tokens.length} logins failed`);

  await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
  const { status } = await login(service.url);
  t.ok(status === 200 || status === 503, 'a connection that was cut off may be found out by a login');
  t.ok(isSignedWith(SECRET, await getToken(service.url)), 'and a new one is opened with the new password');

  for (const [content, fault] of [
    [urlWith('guessed'), 'DATABASE_URL_FILE: the database at '],
    ['mysql://host/guessed', 'DATABASE_URL_FILE: the content has to be'],
    ['file:guessed.db', 'DATABASE_URL_FILE: only a restart takes the service from postgresql to sqlite'],
  ] as const) {
    await replaceFile(`${cwd}/url`, content);
    service.kill('SIGHUP');
    await service.written(fault);
    t.equal((await login(service.url)).status, 200, fault);
  }
  t.notMatch(service.output(), /guessed|:old@|:new@/);
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
});
