import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapter, SqlQueryable } from '@prisma/driver-adapter-utils';
import type { DatabaseUrl, Provider } from '../../../database/database-url.js';

type Argument = string | number | null;

export type Statements = ReturnType<typeof statementsOn>;

export type Connection = {
  provider: Provider;
  /** Commits what `work` does, or rolls it back where it throws. */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

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
/** Syncs to disk: rows that are reported as imported are durable. */
const SQLITE_SYNC = 'PRAGMA wal_checkpoint';

/** Opens a connection without Prisma's client, whose statements would have thousands of parameters. */
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
 * Opens a connection for a dry run: one transaction that is never committed, on a temporary copy that shadows the table.
 * Its locks block no other connection.
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

function statementsOn(connection: SqlQueryable) {
  const bind = (sql: string, args: Argument[]) => {
    return { sql, args, argTypes: args.map(() => ({ scalarType: 'unknown', arity: 'scalar' }) as const) };
  };
  return {
    query: async (sql: string, ...args: Argument[]) => (await connection.queryRaw(bind(sql, args))).rows,
    execute: async (sql: string, ...args: Argument[]) => void (await connection.executeRaw(bind(sql, args))),
  };
}
