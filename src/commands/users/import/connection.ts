import { DatabaseUnavailable } from '../../../database/connection/database-unavailable.js';
import type { DatabaseUrl, Provider } from '../../../database/connection/database-url.js';
import { createFileCheck } from '../../../database/connection/sqlite-file.js';

/** A driver's connection, whose statements may be of any size. Rows are values in the order of the columns. */
export type Statements = {
  query(sql: string, ...args: unknown[]): Promise<unknown[][]>;
  execute(sql: string, ...args: unknown[]): Promise<void>;
};

export type Connection = {
  provider: Provider;
  /** Commits what `work` does, or rolls it back where it throws. */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

type Session = Statements & { provider: Provider; close(): Promise<void> };

/** Milliseconds. */
const SQLITE_BUSY_TIMEOUT = 60_000;
const POSTGRESQL_CONNECTION_TIMEOUT = 10_000;

/**
 * Syncs to disk at a checkpoint, not at each batch: after a power failure the import runs again. Emails come in no order,
 * so most of their index must fit into the cache.
 */
const SQLITE_PRAGMAS = `
  PRAGMA synchronous = NORMAL;
  PRAGMA wal_autocheckpoint = 16000;
  PRAGMA cache_size = -32768`;
/**
 * Syncs to disk: rows that are reported as imported are durable. Empties the write-ahead log, which SQLite leaves where the file is gone;
 * not while others read, because to wait for them would keep out those that write.
 */
const SQLITE_SYNC = 'PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)';

/**
 * Opens a connection without Prisma's client, whose statements would have thousands of parameters.
 *
 * @throws DatabaseUnavailable, as its methods do
 */
export async function connect(url: DatabaseUrl): Promise<Connection> {
  const session = await openSession(url);
  return {
    provider: session.provider,
    async transaction(work) {
      await session.execute('BEGIN');
      try {
        const result = await work(session);
        await session.execute('COMMIT');
        return result;
      } catch (error) {
        await session.execute('ROLLBACK').catch(() => undefined);
        throw error;
      }
    },
    close: session.close,
  };
}

/**
 * Opens a connection for a dry run: one transaction that is never committed, on temporary tables that shadow what it writes.
 * Its locks block no other connection.
 */
export async function connectForRehearsal(url: DatabaseUrl): Promise<Connection> {
  const session = await openSession(url);
  try {
    await session.execute('BEGIN');
    await session.execute('CREATE TEMPORARY TABLE users AS SELECT * FROM users');
    await session.execute('CREATE UNIQUE INDEX rehearsal_id ON users (id)');
    await session.execute('CREATE UNIQUE INDEX rehearsal_email ON users (email)');
    await session.execute('CREATE TEMPORARY TABLE session_watermarks (user_id integer PRIMARY KEY, exp bigint)');
  } catch (error) {
    await session.close();
    throw error;
  }
  return {
    provider: session.provider,
    transaction: (work) => work(session),
    close: () => session.execute('ROLLBACK').finally(session.close),
  };
}

/** Whatever fails in here, the driver or the database is to blame. */
async function openSession(url: DatabaseUrl): Promise<Session> {
  const orUnavailable = (error: unknown): never => {
    throw new DatabaseUnavailable(url, error);
  };
  const opened = url.provider === 'sqlite' ? openSqlite(url.file) : openPostgresql(url.href);
  const session = await opened.catch(orUnavailable);
  return {
    provider: session.provider,
    query: (sql, ...args) => session.query(sql, ...args).catch(orUnavailable),
    execute: (sql, ...args) => session.execute(sql, ...args).catch(orUnavailable),
    close: () => session.close().catch(orUnavailable),
  };
}

async function openSqlite(file: string): Promise<Session> {
  const { default: Sqlite } = await import('better-sqlite3');
  const checkFile = createFileCheck(file);
  const database = new Sqlite(file, { timeout: SQLITE_BUSY_TIMEOUT });
  database.exec(SQLITE_PRAGMAS);
  const prepare = (sql: string) => database.prepare<[unknown[]], unknown[]>(sql);
  return {
    provider: 'sqlite',
    async query(sql, ...args) {
      checkFile();
      return prepare(sql).raw().all(args);
    },
    execute: async (sql, ...args) => void prepare(sql).run(args),
    async close() {
      try {
        database.exec(SQLITE_SYNC);
      } finally {
        database.close();
      }
    },
  };
}

async function openPostgresql(href: string): Promise<Session> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: href,
    connectionTimeoutMillis: POSTGRESQL_CONNECTION_TIMEOUT,
    // Values as PostgreSQL writes them: the driver would take a timestamp for one of the local zone.
    types: { getTypeParser: () => String },
  });
  // The query that it breaks fails too.
  client.on('error', () => {});
  await client.connect();
  return {
    provider: 'postgresql',
    query: async (text, ...values) => (await client.query<unknown[]>({ text, values, rowMode: 'array' })).rows,
    execute: async (text, ...values) => void (await client.query(text, values)),
    close: () => client.end(),
  };
}
