import type { SqlDriverAdapterFactory, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.js';
import { createPostgresqlQueries, createSqliteQueries, type Queries } from './queries.js';

// In WAL mode anything less than FULL may lose what was acknowledged when the power fails.
const SQLITE_PRAGMAS = 'PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON';
/** Fails where the database can't be used: its migrations have not been applied, say. */
const PROBE = 'SELECT 1 FROM users LIMIT 1; SELECT 1 FROM throttle_counters LIMIT 1';

export type Connection = {
  queries: Queries;
  /** Prisma's client, which only commands use. */
  openClient(): Promise<SqliteClient>;
  close(): Promise<void>;
};

// A process loads the driver of its own database alone.

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
  let disconnect = async () => {};
  return {
    queries: createSqliteQueries(database),
    async openClient() {
      const { PrismaClient } = await import('../generated/sqlite/client.js');
      const client = new PrismaClient({ adapter: withPragmas(await sqliteAdapter(file, 0)), errorFormat: 'minimal' });
      disconnect = () => client.$disconnect();
      return client;
    },
    async close() {
      await disconnect();
      database.close();
    },
  };
}

/**
 * A pool that is bounded, and that Prisma's client shares.
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
  // A connection that breaks while nobody uses it: the next one to ask gets another.
  pool.on('error', () => {});
  try {
    await pool.query(PROBE);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return {
    queries: createPostgresqlQueries(pool, new URL(href).searchParams.get('pgbouncer') !== 'true'),
    async openClient() {
      const [{ PrismaPg }, { PrismaClient }] = await Promise.all([
        import('@prisma/adapter-pg'),
        import('../generated/postgresql/client.js'),
      ]);
      // Both clients are generated from the same models, so they differ in the SQL they send and not in what they offer.
      return new PrismaClient({ adapter: new PrismaPg(pool), errorFormat: 'minimal' }) as unknown as SqliteClient;
    },
    close: () => pool.end(),
  };
}

/** @param timeout - milliseconds that a statement waits for another process's lock */
export async function sqliteAdapter(file: string, timeout: number): Promise<SqlMigrationAwareDriverAdapterFactory> {
  const { PrismaBetterSqlite3 } = await import('@prisma/adapter-better-sqlite3');
  return new PrismaBetterSqlite3({ url: file, timeout });
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
