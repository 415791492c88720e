import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.js';
import { createPostgresqlQueries, createSqliteQueries, type Queries } from './queries.js';

// In WAL mode anything less than FULL may lose acknowledged writes when the power fails.
const SQLITE_PRAGMAS = 'PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON';
/** Fails where the tables are missing. */
const PROBE = 'SELECT 1 FROM users LIMIT 1; SELECT 1 FROM throttle_counters LIMIT 1';

export type Connection = {
  queries: Queries;
  /** Loads Prisma's client, which only commands use, at the first call. */
  openClient(): Promise<SqliteClient>;
  close(): Promise<void>;
};

// Each process loads one driver.

/** @throws an error of the driver's where the file can't be used */
export async function connectSqlite(file: string): Promise<Connection> {
  const { default: Sqlite } = await import('better-sqlite3');
  const database = new Sqlite(file, { timeout: 0 }).defaultSafeIntegers();
  try {
    database.exec(`${SQLITE_PRAGMAS}; ${PROBE}`);
  } catch (error) {
    database.close();
    throw error;
  }
  let client: Promise<SqliteClient> | undefined;
  return {
    queries: createSqliteQueries(database),
    openClient() {
      const modules = [import('@prisma/adapter-better-sqlite3'), import('../generated/sqlite/client.js')] as const;
      client ??= Promise.all(modules).then(([{ PrismaBetterSqlite3 }, { PrismaClient }]) => {
        const adapter = withPragmas(new PrismaBetterSqlite3({ url: file, timeout: 0 }));
        return new PrismaClient({ adapter, errorFormat: 'minimal' });
      });
      return client;
    },
    async close() {
      await (await client)?.$disconnect();
      database.close();
    },
  };
}

/**
 * Opens a pool, which Prisma's client shares.
 *
 * @param timeout - milliseconds for a connection, and for a query
 * @param max - connections at once; the driver's own default unless given
 * @throws an error of the driver's where the database does not answer, or can't be used
 */
export async function connectPostgresql(href: string, timeout: number, max: number | undefined): Promise<Connection> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: href,
    connectionTimeoutMillis: timeout,
    query_timeout: timeout,
    ...(max && { max }),
    fallback_application_name: 'sessions-api',
  });
  // An idle connection has broken: the pool opens another.
  pool.on('error', () => {});
  try {
    await pool.query(PROBE);
  } catch (error) {
    await pool.end();
    throw error;
  }
  let client: Promise<SqliteClient> | undefined;
  return {
    queries: createPostgresqlQueries(pool, new URL(href).searchParams.get('pgbouncer') !== 'true'),
    openClient() {
      client ??= Promise.all([import('@prisma/adapter-pg'), import('../generated/postgresql/client.js')]).then(
        ([{ PrismaPg }, { PrismaClient }]) =>
          // Both clients are generated from the same models.
          new PrismaClient({ adapter: new PrismaPg(pool), errorFormat: 'minimal' }) as unknown as SqliteClient,
      );
      return client;
    },
    close: () => pool.end(),
  };
}

function withPragmas(factory: SqlDriverAdapterFactory): SqlDriverAdapterFactory {
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    async connect() {
      const connection = await factory.connect();
      await connection.executeScript(SQLITE_PRAGMAS);
      return connection;
    },
  };
}
