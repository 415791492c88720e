import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, realpath, rename, rm, stat, truncate } from 'node:fs/promises';
import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import { MAIN, type Running, run, start, stop } from '../../support/executable.js';
import { FORM, send } from '../../support/send.js';

const ENV = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', DATABASE_URL: 'file:./sessions.db' };

t.setTimeout(300_000);

/** Counts the requests, by their ids. */
let requests = 0;

function login(service: Running, email: string, password = 'correct horse') {
  requests += 1;
  const id = `request-${requests}`;
  const headers = { ...FORM, 'x-request-id': id };
  const body = new URLSearchParams({ email, password }).toString();
  return send(service.url, { method: 'POST', path: '/api/v1/sessions', headers, body }).then(
    ({ status }) => ({ id, status }),
    () => ({ id, status: undefined }),
  );
}

const statusOf = async (service: Running, email: string, password?: string) =>
  (await login(service, email, password)).status;
const readiness = async (service: Running) => (await send(service.url, { path: '/readyz' })).status;

/** Asks until the service is ready, or is not: the answers to a ping, and to a check of the file, are used again for a while. */
async function untilReadiness(service: Running, status: 200 | 503): Promise<void> {
  while ((await readiness(service)) !== status);
}

/** Asks for readiness until the service exits, and returns its exit code. */
async function untilExit(service: Running): Promise<Awaited<Running['exited']>> {
  let exitCode: Awaited<Running['exited']> | undefined;
  service.exited.then((code) => {
    exitCode = code;
  });
  while (exitCode === undefined) await readiness(service).catch(() => undefined);
  return exitCode;
}

const sizeOf = (file: string) =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

/** A directory with a database of one user. */
async function withUser(t: Test, email: string, cwd = t.testdir()) {
  const file = `${cwd}/sessions.db`;
  await mkdir(cwd, { recursive: true });
  t.match(await run(['users', 'add', email], { cwd, env: ENV, input: 'correct horse' }), { code: 0, stdout: '1\n' });
  return { cwd, env: ENV, file };
}

/** Adds a user to the write-ahead log of a database that a service has open. */
async function addToLog(t: Test, file: string, email: string) {
  const database = new Sqlite(file, { timeout: 5_000 });
  // Not by a prepared statement, which would keep the connection until it is garbage.
  database.exec(`INSERT INTO users (email, password_digest) SELECT '${email}', password_digest FROM users LIMIT 1`);
  database.close();
  t.ok((await sizeOf(`${file}-wal`)) > 0, 'there is a write-ahead log');
}

/** Kills a service that has a user in its write-ahead log, and not yet in its file. */
async function killWithLog(t: Test, { cwd, env, file }: { cwd: string; env: typeof ENV; file: string }, email: string) {
  const service = await start(t, { cwd, env });
  await addToLog(t, file, email);
  service.kill('SIGKILL');
  await service.exited;
}

async function refuses(t: Test, options: { cwd: string; env: typeof ENV }, code: number, reason: string) {
  for (const args of [['users', 'add', 'new@bar.com'], ['serve']]) {
    const refused = await run(args, { ...options, input: 'correct horse' });
    // Else the service would serve for ever.
    if (!t.match(refused, { code, stdout: '' }, `${args}`)) return;
    t.match(refused.stderr, reason);
    t.notMatch(refused.stderr, /^ +at /m, 'no stack');
  }
}

function failuresIn(file: string): unknown {
  const database = new Sqlite(file);
  const [row] = database.prepare('SELECT max(failures) FROM throttle_counters').raw().all() as unknown[][];
  database.close();
  return row?.[0];
}

for (const [moved, parts] of [
  ['alone', ['']],
  ['with its write-ahead log', ['', '-wal', '-shm']],
] as const) {
  t.test(`a file that is removed ${moved} while it is served, and brought back`, async (t) => {
    const { cwd, env, file } = await withUser(t, 'foo@bar.com');
    const service = await start(t, { cwd, env });
    await addToLog(t, file, 'late@bar.com');
    for (let i = 0; i < 5; i += 1) t.equal(await statusOf(service, 'foo@bar.com', 'wrong'), 401);

    for (const part of parts) await rename(`${file}${part}`, `${file}${part}.away`);
    await untilReadiness(service, 503);
    t.equal(await statusOf(service, 'foo@bar.com'), 503);
    t.equal(await statusOf(service, 'foo@bar.com', 'wrong'), 503);
    t.match(service.output(), /the database at file:\/.+\/sessions\.db does not answer: the file has been removed/);
    t.equal(existsSync(file), false, 'no other file is made');

    for (const part of parts) await rename(`${file}${part}.away`, `${file}${part}`);
    await untilReadiness(service, 200);
    t.equal(await statusOf(service, 'late@bar.com'), 200);
    for (let i = 0; i < 3; i += 1) t.equal(await statusOf(service, 'foo@bar.com', 'wrong'), 401);
    await stop(t, service);
    t.equal(failuresIn(file), 8, 'what was written before, and after');
  });
}

for (const [how, overwrite] of [
  ['truncated', (file: string) => truncate(file)],
  ['cut short', (file: string) => truncate(file, 8_192)],
  ['overwritten by another database', (file: string, other: string) => copyFile(other, file)],
  ['overwritten by a backup', (file: string) => copyFile(`${file}-backup`, file)],
] as const) {
  t.test(`a file that is ${how} while it is served`, async (t) => {
    const { cwd, env, file } = await withUser(t, 'foo@bar.com');
    const other = await withUser(t, 'other@bar.com', `${cwd}/other`);
    const database = new Sqlite(file);
    database.exec(`VACUUM INTO '${file}-backup'`);
    database.close();
    const service = await start(t, { cwd, env });
    t.equal(await statusOf(service, 'foo@bar.com'), 200);
    const { ino } = await stat(file);
    await overwrite(file, other.file);
    t.equal((await stat(file)).ino, ino, 'in place');
    await untilReadiness(service, 503);
    t.equal(await statusOf(service, 'foo@bar.com'), 503);
    t.match(service.output(), /sessions\.db does not answer: the file has been truncated or overwritten/);
  });
}

t.test('a service that is stopped while its file is away leaves nothing behind', async (t) => {
  const { cwd, env, file } = await withUser(t, 'foo@bar.com');
  const service = await start(t, { cwd, env });
  await addToLog(t, file, 'late@bar.com');
  await rename(file, `${file}.away`);
  // At once: before the check of the file that a query has made is made again.
  await Promise.all([statusOf(service, 'foo@bar.com'), stop(t, service)]);
  t.equal(await sizeOf(`${file}-wal`), 0, 'what was in the log is in the file');
  await rename(`${file}.away`, file);
  const again = await start(t, { cwd, env });
  t.equal(await statusOf(again, 'late@bar.com'), 200);
});

for (const [how, replace] of [
  ['removed, and another one is copied', (file: string, other: string) => rm(file).then(() => copyFile(other, file))],
  [
    'replaced by a move',
    (file: string, other: string) => copyFile(other, `${file}.new`).then(() => rename(`${file}.new`, file)),
  ],
] as const) {
  t.test(`a file that is ${how} while it is served`, async (t) => {
    const { cwd, env, file } = await withUser(t, 'foo@bar.com');
    const other = await withUser(t, 'other@bar.com', `${cwd}/other`);
    const service = await start(t, { cwd, env });
    await addToLog(t, file, 'late@bar.com');

    const answered = [await login(service, 'foo@bar.com')];
    const logins = [1, 2].map(async () => {
      for (let last: number | undefined = 200; last !== undefined; ) {
        const reply = await login(service, 'foo@bar.com');
        last = reply.status;
        if (last !== undefined) answered.push(reply);
      }
    });
    await replace(file, other.file);
    t.equal(await service.exited, 75);
    await Promise.all(logins);

    const lines = service
      .output()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.match(
      lines.filter(({ level }) => level === 60),
      [{ msg: './sessions.db has been replaced by another file: a restart opens it' }],
    );
    t.same(
      answered.filter(({ status }) => status !== 200 && status !== 503),
      [],
    );
    const logged = new Set(lines.map(({ requestId }) => requestId));
    t.same(
      answered.filter(({ id }) => !logged.has(id)),
      [],
      'no line of the log is lost',
    );
    t.equal(await sizeOf(`${file}-wal`), 0, 'no write-ahead log of the old file is left');

    const again = await start(t, { cwd, env });
    t.equal(await statusOf(again, 'other@bar.com'), 200);
    t.equal(await statusOf(again, 'foo@bar.com'), 401);
    t.equal(await statusOf(again, 'late@bar.com'), 401);
    await stop(t, again);
  });
}

t.test('a copy with a write-ahead log of its own', async (t) => {
  const { cwd, env, file } = await withUser(t, 'foo@bar.com');
  const other = await withUser(t, 'other@bar.com', `${cwd}/other`);
  await killWithLog(t, other, 'logged@bar.com');
  const service = await start(t, { cwd, env });
  await addToLog(t, file, 'late@bar.com');

  for (const part of ['', '-wal', '-shm']) await rm(`${file}${part}`);
  for (const part of ['', '-wal']) await copyFile(`${other.file}${part}`, `${file}${part}`);
  t.equal(await untilExit(service), 75);
  t.same(await readFile(`${file}-wal`), await readFile(`${other.file}-wal`), 'is left as it is');

  const choice = 'remove it, or remove ./sessions.db-migration-lock if both files belong together';
  await refuses(t, { cwd, env }, 78, choice);
  await rm(`${file}-migration-lock`);
  const again = await start(t, { cwd, env });
  t.equal(await statusOf(again, 'other@bar.com'), 200);
  t.equal(await statusOf(again, 'logged@bar.com'), 200);
  t.equal(await statusOf(again, 'foo@bar.com'), 401);
});

t.test('a start between the removal and the copy', async (t) => {
  const { cwd, env, file } = await withUser(t, 'foo@bar.com');
  await rename(file, `${file}.backup`);
  const missing = 'sessions-api: ./sessions.db is missing, and a database was there: restore it, or remove';
  await refuses(t, { cwd, env }, 75, `${missing} ./sessions.db-migration-lock to begin with an empty one`);
  t.equal(existsSync(file), false, 'makes no empty database');

  await copyFile(`${file}.backup`, file);
  const service = await start(t, { cwd, env });
  t.equal(await readiness(service), 200);
  t.equal(await statusOf(service, 'foo@bar.com'), 200);
  await stop(t, service);

  await rm(file);
  await rm(`${file}-migration-lock`);
  t.match(await run(['migrate'], { cwd, env }), { code: 0 }, 'as the message says, an empty one is made');
});

t.test('a write-ahead log that a kill has left', async (t) => {
  const { cwd, env, file } = await withUser(t, 'foo@bar.com');
  const other = await withUser(t, 'other@bar.com', `${cwd}/other`);

  await killWithLog(t, { cwd, env, file }, 'logged@bar.com');
  const service = await start(t, { cwd, env });
  t.equal(await statusOf(service, 'logged@bar.com'), 200, 'is that of the file that is there');
  await stop(t, service);

  await killWithLog(t, { cwd, env, file }, 'late@bar.com');
  const { ino } = await stat(file);
  // Most file systems give the inode that has just become free to the next file, unless another process is quicker.
  for (let i = 0; i === 0 || (i < 100 && (await stat(file)).ino !== ino); i += 1) {
    await rm(file);
    await copyFile(other.file, file);
  }
  t.comment(`the copy has ${(await stat(file)).ino === ino ? 'the same inode' : 'another inode'}`);
  const log = await readFile(`${file}-wal`);
  const replaced = `./sessions.db has been replaced, but ${await realpath(file)}-wal is there: remove it`;
  await refuses(t, { cwd, env }, 78, `invalid configuration:\n  DATABASE_URL: ${replaced}`);
  t.same(await readFile(`${file}-wal`), log, 'is left as it is');
  t.same(await readFile(file), await readFile(other.file), 'and not applied');

  await rm(file);
  await refuses(t, { cwd, env }, 75, 'remove ./sessions.db-migration-lock and ./sessions.db-wal to begin');
  t.equal(existsSync(file), false);

  await copyFile(other.file, file);
  await rm(`${file}-wal`);
  const again = await start(t, { cwd, env });
  t.equal(await statusOf(again, 'other@bar.com'), 200);
  t.equal(await statusOf(again, 'late@bar.com'), 401);
});

t.test('a kill during the migration of a file that replaces another', async (t) => {
  const { cwd, env, file } = await withUser(t, 'foo@bar.com');
  const other = await withUser(t, 'other@bar.com', `${cwd}/other`);
  await rm(file);
  await copyFile(other.file, file);
  const writer = new Sqlite(file);
  t.teardown(() => writer.close());
  writer.exec("DELETE FROM _prisma_migrations WHERE migration_name LIKE '%_create_throttle_counters'");
  writer.exec('DROP TABLE throttle_counters; PRAGMA wal_checkpoint(TRUNCATE); BEGIN IMMEDIATE');
  writer.exec("INSERT INTO users (email, password_digest) VALUES ('logged@bar.com', 'x')");
  const lock = `${file}-migration-lock`;
  const { mtimeMs } = await stat(lock);
  const killed = spawn(process.execPath, [MAIN, 'migrate'], { cwd, env });
  // Until it has committed which file it migrates. Then it waits for the writer.
  while ((await stat(lock)).mtimeMs === mtimeMs || existsSync(`${lock}-journal`));
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  writer.exec('COMMIT');
  t.ok((await sizeOf(`${file}-wal`)) > 0);

  const service = await start(t, { cwd, env });
  t.equal(await statusOf(service, 'other@bar.com'), 200, 'the log is that of the file');
});
