import { randomInt } from 'node:crypto';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type Sqlite from 'better-sqlite3';
import type { Client } from 'pg';
import { ConfigError } from '../../errors/config-error.js';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { createPrivateDirectory, createPrivateFile, warnIfReadable } from '../../files/private-file.js';
import { CLOCK_SQL, warningOf } from '../clock.js';
import { refuseReadOnly } from '../connection/client.js';
import { DatabaseUnavailable } from '../connection/database-unavailable.js';
import type { DatabaseUrl } from '../connection/database-url.js';
import { lastingIdentityOf } from '../connection/sqlite-file.js';
import { findPeppers } from '../find-peppers.js';
import { checkWritable, inspectSqlite, refuseOtherFile, type SqliteInspection } from './inspect.js';
import { applyMigrations, pendingMigrations, type Row, readMigrations } from './migrations.js';

/** Milliseconds for a connection to PostgreSQL. */
const CONNECTION_TIMEOUT = 5_000;
/** Milliseconds for another instance's migrations. */
const SQLITE_MIGRATION_TIMEOUT = 60_000;

/** A database was at the path, and is missing. */
class DatabaseMissing extends ExpectedError {
  /** It may be about to be restored. */
  override readonly exitCode = EXIT.TEMPFAIL;
}

export type MigrateOptions = {
  /** Told what the operator should change. */
  warn?: (message: string) => void;
  /** Whether an SQLite file that is missing is created. */
  mayCreate?: boolean;
  /** Told the path of the SQLite file that was created. */
  onCreated?: (file: string) => void;
};

/**
 * Brings the database up to the newest migration; instances that start at once wait for one another.
 *
 * @returns the names of the migrations that were applied now
 * @throws DatabaseUnavailable, ConfigError, or another ExpectedError where the database contradicts a migration
 */
export async function migrate(url: DatabaseUrl, options: MigrateOptions = {}): Promise<string[]> {
  const { warn = () => {}, mayCreate = true, onCreated = () => {} } = options;
  try {
    return url.provider === 'sqlite'
      ? await migrateSqlite(url.file, { warn, mayCreate, onCreated })
      : await migratePostgresql(url.href, warn);
  } catch (error) {
    throw expected(url, error);
  }
}

/** What migrate() would find. */
export type Inspection = Partial<SqliteInspection> & {
  /** Names of the migrations that it would apply. */
  pending: string[];
  /** Whether it has no tables yet. */
  empty: boolean;
  /** Whether the SQLite file is missing. */
  missing?: boolean;
  /** Whether the connection to PostgreSQL is. */
  encrypted?: boolean;
};

/**
 * Looks at a database as migrate() does, and changes nothing.
 *
 * @throws as migrate()
 */
export async function inspect(url: DatabaseUrl, warn: (message: string) => void): Promise<Inspection> {
  const all = readMigrations(url.provider).map(({ name }) => name);
  const isEmpty = (pending: string[]) => pending.length === all.length;
  try {
    if (url.provider === 'postgresql') {
      const found = await withPostgresql(url.href, inspectPostgresql(warn));
      return { ...found, empty: isEmpty(found.pending) };
    }
    await refuseMissingOrReplacedBefore(url.file);
    checkWritable(url.file);
    const found = await inspectSqlite(url.file);
    if (found) await warnIfReadable(url.file, 'the digests', warn);
    return found ? { ...found, empty: isEmpty(found.pending) } : { pending: all, empty: true, missing: true };
  } catch (error) {
    throw expected(url, error);
  }
}

function expected(url: DatabaseUrl, error: unknown): ExpectedError {
  if (error instanceof ExpectedError) return error;
  return url.provider === 'sqlite' && isNoPermission(error)
    ? notWritable(url.file, error)
    : new DatabaseUnavailable(url, error);
}

async function migrateSqlite(
  file: string,
  { warn, mayCreate, onCreated }: Required<MigrateOptions>,
): Promise<string[]> {
  const { default: Sqlite } = await import('better-sqlite3');
  const lockFile = `${file}-migration-lock`;
  refuseOtherFile(file);
  // The lock's file remembers a database that was there.
  if (isMissing(lockFile)) {
    if (!mayCreate) refuseMissing(file);
    // Nothing may be left beside the database of another program.
    await inspectSqlite(file);
  }
  await createPrivateDirectory(dirname(file));
  await createPrivateFile(lockFile, file);
  // Earlier versions lock this file while they migrate. The system drops the lock when a process dies.
  const lock = openLock(() => new Sqlite(lockFile, { timeout: SQLITE_MIGRATION_TIMEOUT }), lockFile);
  let database: Sqlite.Database | undefined;
  try {
    lock.exec('BEGIN EXCLUSIVE');
    refuseMissingOrReplaced(file, lockFile, lock);
    if (!mayCreate) refuseMissing(file);
    if (await createPrivateFile(file, file)) onCreated(resolve(file));
    // SQLite opens a file that can't be written to, and fails at the first write.
    accessSync(file, constants.W_OK);
    await warnIfReadable(file, 'the digests', warn);
    // Before a write-ahead log of this file may be left.
    if (!isWritable(lockFile)) warn(`${lockFile} is not writable: give it the owner of ${file}`);
    else if (rememberFile(file, lock)) lock.exec('BEGIN EXCLUSIVE');
    const opened = new Sqlite(file, { timeout: SQLITE_MIGRATION_TIMEOUT });
    database = opened;
    // WAL also for a restored copy: VACUUM INTO does not keep it. Migrations rebuild tables that foreign keys refer to.
    opened.exec('PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF');
    const applied = await applyMigrations('sqlite', {
      run: async (script) => opened.exec(script),
      query: async (sql) => opened.prepare<[], Row>(sql).all(),
    });
    // Tells the file from another database that is copied over it: see createFileCheck.
    if (opened.pragma('user_version', { simple: true }) === 0) opened.pragma(`user_version = ${randomInt(1, 2 ** 31)}`);
    return applied;
  } finally {
    database?.close();
    lock.close();
  }
}

/** The driver does not name the file. */
function openLock(open: () => Sqlite.Database, file: string): Sqlite.Database {
  try {
    return open();
  } catch (error) {
    throw notWritable(file, error);
  }
}

/** No directory can be made where a name on the way is a file, or in /proc. */
const NO_PERMISSION = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'SQLITE_CANTOPEN', 'SQLITE_READONLY'];

function isNoPermission(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return NO_PERMISSION.some((each) => code.startsWith(each));
}

function notWritable(file: string, error: unknown): ConfigError {
  const reason = error instanceof Error ? error.message : error;
  return new ConfigError([`DATABASE_URL: user ${process.geteuid?.()} can’t write to ${resolve(file)}: ${reason}`]);
}

function isMissing(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) === undefined;
}

/** @throws ConfigError */
function refuseMissing(file: string): void {
  if (!isMissing(file)) return;
  throw new ConfigError([`DATABASE_URL: there is no ${resolve(file)}; serve, users add and users import create it`]);
}

/** SQLite opens a file that can't be written to, but locks nothing then. */
function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The lock's file remembers which file was migrated last. */
function rememberedFile(lock: Sqlite.Database): unknown {
  const [table] = lock.prepare("SELECT 1 FROM sqlite_master WHERE name = 'migrated_file'").all();
  const [row] = table ? lock.prepare('SELECT identity FROM migrated_file').raw().all() : [];
  return Array.isArray(row) ? row[0] : undefined;
}

/** Returns whether the lock was given back, for what is remembered now is committed. */
function rememberFile(file: string, lock: Sqlite.Database): boolean {
  const identity = lastingIdentityOf(file);
  if (identity === undefined || identity === rememberedFile(lock)) return false;
  lock.exec('CREATE TABLE IF NOT EXISTS migrated_file (identity TEXT NOT NULL); DELETE FROM migrated_file');
  lock.prepare('INSERT INTO migrated_file VALUES (?)').run([identity]);
  lock.exec('COMMIT');
  return true;
}

/** An empty database would answer 401 to everybody. A write-ahead log would be applied to a file that it does not belong to. */
function refuseMissingOrReplaced(file: string, lockFile: string, lock: Sqlite.Database): void {
  const migrated = rememberedFile(lock);
  const found = lastingIdentityOf(file);
  // SQLite follows links before it names the log.
  const log = `${found === undefined ? file : realpathSync(file)}-wal`;
  const hasLog = (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (found === undefined && (migrated !== undefined || hasLog)) {
    const traces = hasLog ? `${lockFile} and ${log}` : lockFile;
    throw new DatabaseMissing(
      `${file} is missing, and a database was there: restore it, or remove ${traces} to begin with an empty one`,
    );
  }
  if (migrated !== undefined && found !== migrated && hasLog) {
    throw new ConfigError([
      `DATABASE_URL: ${file} has been replaced, but ${log} is there: remove it, or remove ${lockFile} if both files belong together`,
    ]);
  }
}

/** As refuseMissingOrReplaced, where a lock's file is there; it stays as it is. */
async function refuseMissingOrReplacedBefore(file: string): Promise<void> {
  const { default: Sqlite } = await import('better-sqlite3');
  const lockFile = `${file}-migration-lock`;
  if (isMissing(lockFile)) return;
  const lock = openLock(() => new Sqlite(lockFile, { readonly: true }), lockFile);
  try {
    refuseMissingOrReplaced(file, lockFile, lock);
  } finally {
    lock.close();
  }
}

const migratePostgresql = (href: string, warn: (message: string) => void) =>
  withPostgresql(href, async (client) => {
    const query = queryOn(client);
    warnIfClear(client, warn);
    await checkEncoding(query, warn);
    return applyMigrations('postgresql', { run: (script) => client.query(script), query });
  });

const inspectPostgresql = (warn: (message: string) => void) => async (client: Client) => {
  const query = queryOn(client);
  warnIfClear(client, warn);
  await refuseReadOnly(client);
  await client.query('BEGIN READ ONLY');
  const clock = await warningOf(Date.now, async () => Number((await query(CLOCK_SQL))[0]?.now));
  if (clock) warn(clock);
  await checkEncoding(query, warn);
  const pending = await pendingMigrations('postgresql', { query });
  const peppers = pending.length === 0 ? await findPeppers(query) : undefined;
  if (pending.length > 0) await refuseWithoutRights(query);
  return { pending, peppers, encrypted: client.ssl !== false };
};

/** The password, digests and emails go over a network that others may read. */
function warnIfClear({ ssl, host }: Client, warn: (message: string) => void): void {
  // A path is that of a socket.
  const isHere = /^(\/|127\.|::1$|localhost$)/.test(host);
  if (!ssl && !isHere)
    warn(`the connection to PostgreSQL at ${host} is not encrypted: add sslmode=verify-full to DATABASE_URL`);
}

/** As PostgreSQL would refuse the first migration. */
async function refuseWithoutRights(query: (sql: string) => Promise<Row[]>): Promise<void> {
  const [row] = await query(
    "SELECT current_schema() AS schema, has_schema_privilege(current_schema(), 'CREATE') AS may_create",
  );
  if (row?.may_create !== true)
    throw Object.assign(new Error(`permission denied for schema ${row?.schema}`), { code: '42501' });
}

const queryOn = (client: Client) => async (sql: string) => (await client.query<Row>(sql)).rows;

async function withPostgresql<T>(href: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { default: pg } = await import('pg');
  // No statement timeout: a migration may take long.
  const client = new pg.Client({ connectionString: href, connectionTimeoutMillis: CONNECTION_TIMEOUT });
  // The query that it breaks fails too.
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Emails may have any character of Unicode. */
async function checkEncoding(query: (sql: string) => Promise<Row[]>, warn: (message: string) => void): Promise<void> {
  const [row] = await query('SHOW server_encoding');
  const encoding = row?.server_encoding;
  if (encoding === 'SQL_ASCII') warn('the database has the encoding SQL_ASCII, which checks no text: use UTF8');
  else if (encoding !== 'UTF8')
    throw new ConfigError([`DATABASE_URL: the database has the encoding ${encoding}, and must have UTF8`]);
}
