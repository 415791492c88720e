import { randomInt } from 'node:crypto';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { ConfigError } from '../../errors/config-error.js';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { createPrivateDirectory, createPrivateFile, warnIfReadable } from '../../files/private-file.js';
import { lastingIdentityOf } from '../connection/sqlite-file.js';
import { exists, inspectSqlite, refuseOtherFile, TIMEOUT } from './inspect-sqlite.js';
import { applyMigrations, type MigrateOptions, type Row } from './migrations.js';

export async function migrateSqlite(
  file: string,
  { warn, mayCreate, onCreated }: Required<MigrateOptions>,
): Promise<string[]> {
  const { default: Sqlite } = await import('better-sqlite3');
  const lockFile = `${file}-migration-lock`;
  refuseOtherFile(file);
  // The lock's file remembers a database that was there.
  if (!exists(lockFile)) {
    if (!mayCreate) refuseMissing(file);
    // Nothing may be left beside the database of another program.
    await inspectSqlite(file);
  }
  await createPrivateDirectory(dirname(file));
  await createPrivateFile(lockFile, file);
  // Earlier versions lock this file while they migrate. The system drops the lock when a process dies.
  const lock = openLock(() => new Sqlite(lockFile, { timeout: TIMEOUT }), lockFile);
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
    const opened = new Sqlite(file, { timeout: TIMEOUT });
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

/** @throws ConfigError */
function refuseMissing(file: string): void {
  if (exists(file)) return;
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

/** Returns whether it committed, which releases the lock. */
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
    // A restart helps once it is restored.
    throw new ExpectedError(
      `${file} is missing, and a database was there: restore it, or remove ${traces} to begin with an empty one`,
      EXIT.TEMPFAIL,
    );
  }
  if (migrated !== undefined && found !== migrated && hasLog) {
    throw new ConfigError([
      `DATABASE_URL: ${file} has been replaced, but ${log} is there: remove it, or remove ${lockFile} if both files belong together`,
    ]);
  }
}

/** As refuseMissingOrReplaced, where a lock's file is there; it stays as it is. */
export async function refuseMissingOrReplacedBefore(file: string): Promise<void> {
  const { default: Sqlite } = await import('better-sqlite3');
  const lockFile = `${file}-migration-lock`;
  if (!exists(lockFile)) return;
  const lock = openLock(() => new Sqlite(lockFile, { readonly: true }), lockFile);
  try {
    refuseMissingOrReplaced(file, lockFile, lock);
  } finally {
    lock.close();
  }
}

/** No directory can be made where a name on the way is a file, or in /proc. */
const NO_PERMISSION = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'SQLITE_CANTOPEN', 'SQLITE_READONLY'];

export function isNoPermission(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return NO_PERMISSION.some((each) => code.startsWith(each));
}

export function notWritable(file: string, error: unknown): ConfigError {
  const reason = error instanceof Error ? error.message : error;
  return new ConfigError([`DATABASE_URL: user ${process.geteuid?.()} can’t write to ${resolve(file)}: ${reason}`]);
}
