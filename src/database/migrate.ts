import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ExpectedError } from '../errors/expected-error.js';
import { DatabaseUnavailable } from './database-unavailable.js';
import type { DatabaseUrl } from './database-url.js';
import { applyMigrations, type Row } from './migrations.js';

/** Milliseconds for a connection to PostgreSQL. */
const CONNECTION_TIMEOUT = 5_000;
/** Milliseconds for another instance's migrations. */
const SQLITE_MIGRATION_TIMEOUT = 60_000;

/**
 * Brings the database up to the newest migration; instances that start at once wait for one another.
 *
 * @returns the names of the migrations that were applied now
 * @throws DatabaseUnavailable, or another ExpectedError where the database contradicts a migration
 */
export async function migrate(url: DatabaseUrl): Promise<string[]> {
  try {
    return url.provider === 'sqlite' ? await migrateSqlite(url.file) : await migratePostgresql(url.href);
  } catch (error) {
    throw error instanceof ExpectedError ? error : new DatabaseUnavailable(url, error);
  }
}

async function migrateSqlite(file: string): Promise<string[]> {
  const { default: Sqlite } = await import('better-sqlite3');
  // It holds digests.
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // Earlier versions lock this file while they migrate. The system drops the lock when a process dies.
  const lock = new Sqlite(`${file}-migration-lock`, { timeout: SQLITE_MIGRATION_TIMEOUT });
  let database: InstanceType<typeof Sqlite> | undefined;
  try {
    lock.exec('BEGIN EXCLUSIVE');
    const opened = new Sqlite(file, { timeout: SQLITE_MIGRATION_TIMEOUT });
    database = opened;
    // WAL also for a restored copy: VACUUM INTO does not keep it. Migrations rebuild tables that foreign keys refer to.
    opened.exec('PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF');
    return await applyMigrations('sqlite', {
      run: async (script) => opened.exec(script),
      query: async (sql) => opened.prepare<[], Row>(sql).all(),
    });
  } finally {
    database?.close();
    lock.close();
  }
}

async function migratePostgresql(href: string): Promise<string[]> {
  const { default: pg } = await import('pg');
  // No statement timeout: a migration may take long.
  const client = new pg.Client({ connectionString: href, connectionTimeoutMillis: CONNECTION_TIMEOUT });
  // The query that it breaks fails too.
  client.on('error', () => {});
  try {
    await client.connect();
    return await applyMigrations('postgresql', {
      run: (script) => client.query(script),
      query: async (sql) => (await client.query<Row>(sql)).rows,
    });
  } finally {
    await client.end();
  }
}
