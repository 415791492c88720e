import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { sqliteAdapter } from './connections.js';
import { DatabaseUnavailable } from './database-unavailable.js';
import type { DatabaseUrl } from './database-url.js';
import { applyMigrations, hasPendingMigrations } from './migrations.js';

/** Milliseconds for a connection to PostgreSQL. */
const CONNECTION_TIMEOUT = 5_000;
/** Milliseconds for another instance's migrations. */
const SQLITE_MIGRATION_TIMEOUT = 60_000;

/**
 * Brings the database up to the newest migration; instances that start at once wait for one another.
 *
 * @returns the names of the migrations that were applied now
 * @throws DatabaseUnavailable
 */
export async function migrate(url: DatabaseUrl): Promise<string[]> {
  try {
    return url.provider === 'sqlite' ? await migrateSqlite(url.file) : await migratePostgresql(url.href);
  } catch (error) {
    throw new DatabaseUnavailable(url, error);
  }
}

/**
 * The schema engine needs SQLite's exclusive lock, which it can't get while another instance has the file open. So a lock on
 * a file beside it keeps others out before they open it; the system drops it when a process dies.
 */
async function migrateSqlite(file: string): Promise<string[]> {
  // It holds digests.
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const lock = await (await sqliteAdapter(`${file}-migration-lock`, SQLITE_MIGRATION_TIMEOUT)).connect();
  try {
    await lock.executeScript('BEGIN EXCLUSIVE');
    const adapter = await sqliteAdapter(file, SQLITE_MIGRATION_TIMEOUT);
    // Also for a restored copy: VACUUM INTO does not keep the mode.
    const connection = await adapter.connect();
    await connection.executeScript('PRAGMA journal_mode = WAL').finally(() => connection.dispose());
    return (await hasPendingMigrations('sqlite', adapter)) ? await applyMigrations('sqlite', adapter) : [];
  } finally {
    await lock.dispose();
  }
}

async function migratePostgresql(href: string): Promise<string[]> {
  const { PrismaPg } = await import('@prisma/adapter-pg');
  // No statement timeout: a migration may take long.
  const adapter: SqlMigrationAwareDriverAdapterFactory = new PrismaPg({
    connectionString: href,
    connectionTimeoutMillis: CONNECTION_TIMEOUT,
  });
  return (await hasPendingMigrations('postgresql', adapter)) ? applyMigrations('postgresql', adapter) : [];
}
