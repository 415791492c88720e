import { ExpectedError } from '../../errors/expected-error.js';
import { warnIfReadable } from '../../files/private-file.js';
import { DatabaseUnavailable } from '../connection/database-unavailable.js';
import type { DatabaseUrl } from '../connection/database-url.js';
import { checkWritable, inspectSqlite, type SqliteInspection } from './inspect-sqlite.js';
import { type MigrateOptions, readMigrations } from './migrations.js';
import { inspectPostgresql, migratePostgresql } from './postgresql.js';
import { isNoPermission, migrateSqlite, notWritable, refuseMissingOrReplacedBefore } from './sqlite.js';

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
      const found = await inspectPostgresql(url.href, warn);
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
