import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapter, SqlQueryable } from '@prisma/driver-adapter-utils';
import type { DatabaseUrl, Provider } from '../../../database/database-url.js';

type Argument = string | number | null;

/** Statements within a transaction; the databases spell their parameters differently. */
export type Statements = {
  query(sql: string, ...args: Argument[]): Promise<unknown[][]>;
  execute(sql: string, ...args: Argument[]): Promise<void>;
};

export type Connection = {
  provider: Provider;
  /** Commits what the work does as a whole; where the work throws, nothing is done. */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** Milliseconds that a batch waits for another writer of SQLite, and an import for a connection to PostgreSQL. */
const SQLITE_BUSY_TIMEOUT = 60_000;
const POSTGRESQL_CONNECTION_TIMEOUT = 10_000;

/**
 * Batches wait for the disk when the log is copied into the database, not each on its own: what a power failure takes is
 * imported again. The index of emails, which are in no order, has to fit into the cache for the most part.
 */
const SQLITE_PRAGMAS = `
  PRAGMA synchronous = NORMAL;
  PRAGMA wal_autocheckpoint = 16000;
  PRAGMA cache_size = -32768`;
/** Copies the log, once it is on the disk: what has been reported as imported stays. */
const SQLITE_SYNC = 'PRAGMA wal_checkpoint';

/** Opens a connection past Prisma's client, which would make a statement of hundreds of parameters for each batch. */
export async function connect(url: DatabaseUrl): Promise<Connection> {
  const adapter = await openAdapter(url);
  return {
    provider: url.provider,
    async transaction(work) {
      const transaction = await adapter.startTransaction();
      const statements = statementsOn(transaction);
      try {
        const result = await work(statements);
        await statements.execute('COMMIT');
        await transaction.commit();
        return result;
      } catch (error) {
        await statements.execute('ROLLBACK').catch(() => undefined);
        await transaction.rollback();
        throw error;
      }
    },
    async close() {
      if (url.provider === 'sqlite') await adapter.executeScript(SQLITE_SYNC);
      await adapter.dispose();
    },
  };
}

/**
 * Opens a connection that stores nothing: all that it does is one transaction, which is never committed, on a copy of the
 * users that hides the table. Nobody has to wait for its locks.
 */
export async function connectForRehearsal(url: DatabaseUrl): Promise<Connection> {
  const adapter = await openAdapter(url);
  const transaction = await adapter.startTransaction();
  const statements = statementsOn(transaction);
  await statements.execute('CREATE TEMPORARY TABLE users AS SELECT * FROM users');
  await statements.execute('CREATE UNIQUE INDEX rehearsal_id ON users (id)');
  await statements.execute('CREATE UNIQUE INDEX rehearsal_email ON users (email)');
  return {
    provider: url.provider,
    transaction: (work) => work(statements),
    async close() {
      await statements.execute('ROLLBACK').finally(() => transaction.rollback());
      await adapter.dispose();
    },
  };
}

async function openAdapter(url: DatabaseUrl): Promise<SqlDriverAdapter> {
  if (url.provider === 'postgresql') {
    const connectionTimeoutMillis = POSTGRESQL_CONNECTION_TIMEOUT;
    return new PrismaPg({ connectionString: url.href, connectionTimeoutMillis }).connect();
  }
  const adapter = await new PrismaBetterSqlite3({ url: url.file, timeout: SQLITE_BUSY_TIMEOUT }).connect();
  await adapter.executeScript(SQLITE_PRAGMAS);
  return adapter;
}

function statementsOn(connection: SqlQueryable): Statements {
  const bind = (sql: string, args: Argument[]) => {
    const argTypes = args.map(() => ({ scalarType: 'unknown', arity: 'scalar' }) as const);
    return { sql, args, argTypes };
  };
  return {
    query: async (sql, ...args) => (await connection.queryRaw(bind(sql, args))).rows,
    execute: async (sql, ...args) => void (await connection.executeRaw(bind(sql, args))),
  };
}
