import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigError } from '../../errors/config-error.js';
import { isSqliteFile } from '../connection/sqlite-file.js';
import { findPeppers, type StoredPeppers } from '../find-peppers.js';
import { pendingMigrations, type Row } from './migrations.js';

/** What is found in an SQLite file. */
export type SqliteInspection = {
  /** Names of migrations. */
  pending: string[];
  /** Whether users have tokens that were signed with the secret beside the database. */
  needsSecretBeside: boolean;
  /** Undefined before all migrations are applied. */
  peppers: StoredPeppers | undefined;
};

/** Milliseconds for another instance's migrations. */
export const TIMEOUT = 60_000;

/**
 * Reads an SQLite file, and leaves everything as it is.
 *
 * @returns undefined where there is no file
 * @throws ConfigError, ExpectedError where it is not a database of the service
 */
export async function inspectSqlite(file: string): Promise<SqliteInspection | undefined> {
  refuseOtherFile(file);
  if (!exists(file)) return undefined;
  const { default: Sqlite } = await import('better-sqlite3');
  // A connection that only reads leaves the files of an empty log behind; another one removes them.
  const database = new Sqlite(file, { readonly: exists(`${file}-wal`), timeout: TIMEOUT });
  const query = (sql: string) => database.prepare<[], Row>(sql).all();
  try {
    const pending = await pendingMigrations('sqlite', { query: async (sql) => query(sql) });
    const [table] = query("SELECT 1 FROM sqlite_master WHERE name = 'secrets'");
    const tokens = "SELECT 1 FROM secrets WHERE name = 'jwt_secret_beside' AND EXISTS (SELECT 1 FROM users)";
    return {
      pending,
      needsSecretBeside: table !== undefined && query(tokens).length > 0,
      peppers: pending.length === 0 ? await findPeppers(async (sql) => query(sql)) : undefined,
    };
  } finally {
    database.close();
  }
}

/**
 * Refuses what is at the path and is not an SQLite file. An empty file is one.
 *
 * @throws ConfigError
 */
export function refuseOtherFile(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined || (stats.isFile() && stats.size === 0)) return;
  if (!stats.isFile() || !isSqliteFile(file))
    throw new ConfigError([`DATABASE_URL: ${resolve(file)} is not an SQLite database`]);
}

/**
 * Checks that the service may write to a file, or create it.
 *
 * @throws Error with a code, of Node.js
 */
export function checkWritable(file: string): void {
  let existing = resolve(file);
  if (exists(existing)) accessSync(existing, constants.R_OK | constants.W_OK);
  do existing = dirname(existing);
  while (!exists(existing));
  accessSync(existing, constants.W_OK | constants.X_OK);
}

export function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
