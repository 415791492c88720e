import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import { isDriverAdapterError, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { DatabaseUrl } from './config.js';
import { ExpectedError } from './expected-error.js';
import type { PrismaClient } from './generated/sqlite/client.js';
import { applyMigrations, hasPendingMigrations } from './migrations.js';
import { createUsers, type Users } from './users.js';

export type Database = {
  users: Users;
  /** Resolves when the database answers, and throws DatabaseUnavailable when it does not. */
  ping(): Promise<void>;
  close(): Promise<void>;
};

/** The database did not do what was asked; whoever asked may try again. The reason is in `cause`. */
export class DatabaseUnavailable extends ExpectedError {
  constructor(url: DatabaseUrl, cause: unknown) {
    super(`the database at ${placeOf(url)} does not answer: ${reasonOf(cause)}`, { cause });
  }
}

/** Milliseconds that a statement waits for another process's lock on the file of SQLite. */
const SQLITE_BUSY_TIMEOUT = 5_000;
/** Milliseconds that a start waits for another instance's migrations. */
const SQLITE_MIGRATION_TIMEOUT = 60_000;
/** Milliseconds that a login waits for a connection to PostgreSQL, and then for each statement. */
const POSTGRESQL_TIMEOUT = 2_000;

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

/** Opens a database whose migrations have been applied. */
export async function openDatabase(url: DatabaseUrl): Promise<Database> {
  const client = url.provider === 'sqlite' ? await openSqlite(url.file) : await openPostgresql(url.href);
  const users = createUsers(client);
  const orUnavailable = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      throw new DatabaseUnavailable(url, error);
    }
  };
  return {
    users: {
      findByEmail: (email) => orUnavailable(users.findByEmail(email)),
      find: (key) => orUnavailable(users.find(key)),
      add: (email, passwordDigest) => orUnavailable(users.add(email, passwordDigest)),
      count: (filter) => orUnavailable(users.count(filter)),
      list: (page) => orUnavailable(users.list(page)),
      replacePasswordDigest: (id, old, digest) => orUnavailable(users.replacePasswordDigest(id, old, digest)),
      update: (id, change) => orUnavailable(users.update(id, change)),
      delete: (id) => orUnavailable(users.delete(id)),
    },
    ping: () => orUnavailable(client.$queryRaw`SELECT 1`).then(() => undefined),
    close: () => client.$disconnect(),
  };
}

async function openSqlite(file: string): Promise<PrismaClient> {
  const { PrismaClient } = await import('./generated/sqlite/client.js');
  const adapter = new PrismaBetterSqlite3({ url: file, timeout: SQLITE_BUSY_TIMEOUT });
  const client = new PrismaClient({ adapter, errorFormat: 'minimal' });
  // In WAL mode anything less than FULL may lose what was acknowledged when the power fails.
  await client.$queryRaw`PRAGMA synchronous = FULL`;
  await client.$queryRaw`PRAGMA foreign_keys = ON`;
  return client;
}

async function openPostgresql(href: string): Promise<PrismaClient> {
  const { PrismaClient } = await import('./generated/postgresql/client.js');
  // Both clients are generated from the same models, so they differ in the SQL they send and not in what they offer.
  const adapter = new PrismaPg({
    connectionString: href,
    connectionTimeoutMillis: POSTGRESQL_TIMEOUT,
    query_timeout: POSTGRESQL_TIMEOUT,
  });
  return new PrismaClient({ adapter, errorFormat: 'minimal' }) as unknown as PrismaClient;
}

/**
 * The schema engine takes SQLite's exclusive lock, which it never gets while another instance has the file open. So a
 * lock of our own, on a file beside it, keeps others out before they open it; the system drops it when a process dies.
 */
async function migrateSqlite(file: string): Promise<string[]> {
  await mkdir(dirname(file), { recursive: true });
  const lock = await sqliteMigrationAdapter(`${file}-migration-lock`).connect();
  try {
    await lock.executeScript('BEGIN EXCLUSIVE');
    const adapter = sqliteMigrationAdapter(file);
    if (!(await hasPendingMigrations('sqlite', adapter))) return [];
    const connection = await adapter.connect();
    await connection.executeScript('PRAGMA journal_mode = WAL').finally(() => connection.dispose());
    return await applyMigrations('sqlite', adapter);
  } finally {
    await lock.dispose();
  }
}

function sqliteMigrationAdapter(file: string): PrismaBetterSqlite3 {
  return new PrismaBetterSqlite3({ url: file, timeout: SQLITE_MIGRATION_TIMEOUT });
}

async function migratePostgresql(href: string): Promise<string[]> {
  // No limit on a statement's time: a migration may take longer than a login waits.
  const adapter: SqlMigrationAwareDriverAdapterFactory = new PrismaPg({
    connectionString: href,
    connectionTimeoutMillis: POSTGRESQL_TIMEOUT,
  });
  if (!(await hasPendingMigrations('postgresql', adapter))) return [];
  return applyMigrations('postgresql', adapter);
}

/** The URL without its password. */
function placeOf(url: DatabaseUrl): string {
  if (url.provider === 'sqlite') return `file:${url.file}`;
  const { protocol, host, pathname } = new URL(url.href);
  return `${protocol}//${host}${pathname}`;
}

/** The driver's own words; where it has none, the kind of its error, such as DatabaseNotReachable, in words. */
function reasonOf(error: unknown): string {
  if (!isDriverAdapterError(error)) return error instanceof Error ? error.message : String(error);
  const { kind, originalMessage } = error.cause;
  return originalMessage ?? kind.replaceAll(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}
