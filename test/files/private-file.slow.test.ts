import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import t, { type Test } from 'tap';
import { run, start, stop } from '../support/executable.js';
import { FORM, send } from '../support/send.js';

const LOGIN = {
  method: 'POST',
  path: '/api/v1/sessions',
  headers: FORM,
  body: 'email=foo%40bar.com&password=correct+horse',
};
const USER = 65_431;
const WARNING = /"msg":"other users of this machine may read the (digests|secret) in [^"]+: chmod 600 [^"]+"/g;

const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8);

/** The modes and the owners of what is in a directory, by name. */
async function listFiles(directory: string) {
  const names = (await readdir(directory, { recursive: true })).sort();
  const files = await Promise.all(names.map(async (name) => ({ name, ...(await stat(`${directory}/${name}`)) })));
  return files.map(({ name, mode, uid, gid }) => ({ name, mode: (mode & 0o777).toString(8), uid, gid }));
}

t.test('what is created is for its owner alone', async (t) => {
  const cwd = t.testdir();
  const before = process.umask(0);
  t.teardown(() => process.umask(before));
  const service = await start(t, { cwd });
  await send(service.url, LOGIN);
  const files = await listFiles(cwd);
  t.same(
    files.map(({ name, mode }) => [name, mode]),
    [
      ['data', '700'],
      ['data/sessions.db', '600'],
      ['data/sessions.db-migration-lock', '600'],
      ['data/sessions.db-shm', '600'],
      ['data/sessions.db-wal', '600'],
      ['data/sessions.db.jwt-secret', '600'],
    ],
  );
});

/** A directory of another user's, outside of those that others may not enter; undefined where the tests can't have it. */
async function directoryOf(t: Test, user: number): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const cwd = await mkdtemp(`${tmpdir()}/sessions-api-`);
  t.teardown(() => rm(cwd, { recursive: true }));
  await chown(cwd, user, user);
  const { code } = await run(['--help'], { cwd, user }).catch(() => ({ code: 1 }));
  return code === 0 ? cwd : undefined;
}

t.test('what root creates is its user’s, whose service starts on it', async (t) => {
  for (const DATABASE_URL of ['', 'file:a/b/sessions.db']) {
    const cwd = await directoryOf(t, USER);
    if (cwd === undefined) return t.comment('not root, or others may not read the executable: not tried');
    const env = { DATABASE_URL };
    t.match(await run(['users', 'add', 'foo@bar.com'], { cwd, env, input: 'correct horse' }), { code: 0 });
    const byRoot = await start(t, { cwd, env });
    t.equal((await send(byRoot.url, { ...LOGIN, body: `${LOGIN.body}x` })).status, 401);
    const files = await listFiles(cwd);
    t.ok(files.length >= 5);
    t.same(
      files.filter(({ uid, gid }) => uid !== USER || gid !== USER),
      [],
      `in ${DATABASE_URL || 'the default'}`,
    );
    const service = await start(t, { cwd, env, user: USER });
    t.equal((await send(service.url, LOGIN)).status, 200, 'beside root’s');
    await stop(t, byRoot);
    await stop(t, service);
    t.equal((await send((await start(t, { cwd, env, user: USER })).url, LOGIN)).status, 200, 'and alone');
  }
});

t.test('what root adds to a database is owned like the database', async (t) => {
  const cwd = await directoryOf(t, USER);
  if (cwd === undefined) return t.comment('not root, or others may not read the executable: not tried');
  await mkdir(`${cwd}/data`);
  await writeFile(`${cwd}/data/sessions.db`, '');
  await chown(`${cwd}/data/sessions.db`, USER, USER);
  await stop(t, await start(t, { cwd }));
  const { uid } = await stat(`${cwd}/data`);
  t.equal(uid, 0);
  t.same(new Set((await listFiles(`${cwd}/data`)).map((file) => file.uid)), new Set([USER]));
});

t.test('a lock of earlier versions that the user can’t write to', async (t) => {
  const cwd = await directoryOf(t, USER);
  if (cwd === undefined) return t.comment('not root, or others may not read the executable: not tried');
  const env = { DATABASE_URL: 'file:sessions.db' };
  const lock = `${cwd}/sessions.db-migration-lock`;
  await writeFile(lock, '');
  await chmod(lock, 0o644);
  t.match(await run(['migrate'], { cwd, env, user: USER }), {
    code: 0,
    stderr: 'warning: sessions.db-migration-lock is not writable: give it the owner of sessions.db\n',
  });
  await chmod(lock, 0o600);
  t.match(await run(['migrate'], { cwd, env, user: USER }), { code: 78, stderr: `${lock}: unable to open` });
});

t.test('a database that its user can’t write to', async (t) => {
  const cases: [why: string, spoil: (cwd: string) => Promise<void>, named: string][] = [
    ['a file of root’s', async (cwd) => chown(`${cwd}/sessions.db`, 0, USER), 'sessions.db'],
    [
      'a write-ahead log of root’s',
      async (cwd) => writeFile(`${cwd}/sessions.db-wal`, '', { mode: 0o600 }),
      'sessions.db',
    ],
    ['a directory of root’s', async (cwd) => chown(cwd, 0, 0), 'sessions.db'],
    ['an empty directory of root’s', async (cwd) => emptyAndChown(cwd), 'sessions.db'],
    ['a lock of root’s', async (cwd) => chown(`${cwd}/sessions.db-migration-lock`, 0, 0), 'sessions.db-migration-lock'],
  ];
  for (const [why, spoil, named] of cases) {
    const cwd = await directoryOf(t, USER);
    if (cwd === undefined) return t.comment('not root, or others may not read the executable: not tried');
    const options = { cwd, env: { DATABASE_URL: 'file:sessions.db' }, user: USER, input: 'correct horse' };
    t.match(await run(['users', 'add', 'foo@bar.com'], options), { code: 0 });
    await chmod(`${cwd}/sessions.db`, 0o640);
    await spoil(cwd);
    await chmod(cwd, 0o705);
    const before = await listFiles(cwd);
    // `serve` last: where it is not refused, it does not end.
    for (const command of ['migrate', 'serve']) {
      const refused = await run([command], options);
      const stderr = `invalid configuration:\n  DATABASE_URL: user ${USER} can’t write to ${cwd}/${named}: `;
      if (!t.match(refused, { code: 78, stdout: '', stderr }, `${why}: ${command}`)) break;
    }
    t.same(await listFiles(cwd), before, 'nothing has changed');
  }
});

async function emptyAndChown(cwd: string): Promise<void> {
  for (const name of await readdir(cwd)) await rm(`${cwd}/${name}`);
  await chown(cwd, 0, 0);
}

t.test('modes that are there stay, and others who may read are warned of', async (t) => {
  const cwd = t.testdir();
  const env = { DATABASE_URL: 'file:sessions.db' };
  const [database, secret] = [`${cwd}/sessions.db`, `${cwd}/sessions.db.jwt-secret`];
  await stop(t, await start(t, { cwd, env }));
  const warnings = async () => {
    const service = await start(t, { cwd, env });
    await stop(t, service);
    const { stderr } = await run(['migrate'], { cwd, env });
    return { serve: service.output().match(WARNING)?.length ?? 0, migrate: stderr.match(/^warning: /gm)?.length ?? 0 };
  };
  await chmod(cwd, 0o755);
  t.same(await warnings(), { serve: 0, migrate: 0 });
  await chmod(database, 0o644);
  t.same(await warnings(), { serve: 1, migrate: 1 });
  await chmod(database, 0o640);
  t.same(await warnings(), { serve: 1, migrate: 1 }, 'to a group');
  await chmod(secret, 0o644);
  t.same(await warnings(), { serve: 2, migrate: 1 }, 'the secret too');
  t.same([await modeOf(database), await modeOf(secret)], ['640', '644']);
  await chmod(cwd, 0o701);
  await chmod(secret, 0o600);
  t.same(await warnings(), { serve: 0, migrate: 0 }, 'not where the group can’t enter the directory');
});

t.test('a secret that can’t be read, or written, is one line', async (t) => {
  const cwd = t.testdir({ 'sessions.db.jwt-secret': {} });
  const { code, stderr } = await run([], { cwd, env: { DATABASE_URL: 'file:sessions.db', LOG_LEVEL: 'silent' } });
  t.equal(code, 78);
  t.match(stderr, /^sessions-api: the JWT secret beside the database: EISDIR.*\n$/);
});
