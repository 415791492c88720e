import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { ClientBase } from 'pg';
import type { PrismaClient } from '../../generated/sqlite/client.js';
import type { DatabaseUrl } from './database-url.js';

// In WAL mode anything less than FULL may lose acknowledged writes when the power fails.
const SQLITE_PRAGMAS = 'PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON';
/**
 * Syncs to disk at a checkpoint, as at the end, not at each batch: after a power failure an import runs again. Emails come in
 * no order, so most of their index must fit into the cache.
 */
const SQLITE_BULK_PRAGMAS = `${SQLITE_PRAGMAS};
  PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 16000; PRAGMA cache_size = -32768`;

/** What the clients of both databases have in common. */
export type Client = {
  user: Pick<
    PrismaClient['user'],
    'count' | 'create' | 'deleteMany' | 'findFirst' | 'findMany' | 'findUnique' | 'updateManyAndReturn'
  >;
  oneTimeToken: Pick<PrismaClient['oneTimeToken'], 'deleteMany'>;
  throttleCounter: Pick<
    PrismaClient['throttleCounter'],
    'count' | 'deleteMany' | 'findFirst' | 'updateMany' | 'upsert'
  >;
  secret: Pick<PrismaClient['secret'], 'findUnique' | 'findUniqueOrThrow' | 'upsert'>;
  session: Pick<PrismaClient['session'], 'deleteMany' | 'updateMany'>;
  $transaction: {
    /** Runs statements in one transaction; returns how many rows each has changed. */
    (statements: Statement[]): Promise<number[]>;
    /** @param options.timeout - milliseconds until it is rolled back */
    <T>(work: (transaction: Transaction) => Promise<T>, options: { timeout: number }): Promise<T>;
  };
} & Pick<PrismaClient, '$disconnect' | '$executeRaw' | '$queryRaw'>;

export type Transaction = Pick<PrismaClient, '$executeRaw' | '$executeRawUnsafe' | '$queryRaw'>;

/** Not yet run. */
type Statement = ReturnType<PrismaClient['$executeRaw']>;

export type ClientOptions = {
  /** Milliseconds for a connection to PostgreSQL, and for a query on it. */
  timeout: number;
  /** Connections to PostgreSQL; the driver's default unless given. */
  poolMax?: number | undefined;
  /** Refuses a PostgreSQL that can only be read: what a standby answers may be old. */
  writable?: boolean | undefined;
  /** Whether SQLite is set up for an import. */
  bulk?: boolean | undefined;
};

/** Connections to PostgreSQL, and queries that wait for one. */
export type PoolUse = { used: number; idle: number; waiting: number };

export type CreatedClient = {
  client: Client;
  /** Undefined on SQLite, which has no pool. */
  poolUse?: () => PoolUse;
};

/** Creates Prisma's client, which connects at its first query. Each process loads one driver. */
export function createClient(url: DatabaseUrl, options: ClientOptions): Promise<CreatedClient> {
  return url.provider === 'sqlite' ? createSqliteClient(url.file, options) : createPostgresqlClient(url.href, options);
}

/** Its own busy timeout would block the event loop. */
async function createSqliteClient(file: string, { bulk }: ClientOptions): Promise<CreatedClient> {
  const [{ PrismaBetterSqlite3 }, { PrismaClient }] = await Promise.all([
    import('@prisma/adapter-better-sqlite3'),
    import('../../generated/sqlite/client.js'),
  ]);
  const adapter = withPragmas(
    new PrismaBetterSqlite3({ url: file, timeout: 0 }),
    bulk ? SQLITE_BULK_PRAGMAS : SQLITE_PRAGMAS,
  );
  return { client: new PrismaClient({ adapter, errorFormat: 'minimal' }) };
}

function withPragmas(factory: SqlDriverAdapterFactory, pragmas: string): SqlDriverAdapterFactory {
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    async connect() {
      const connection = await factory.connect();
      await connection.executeScript(pragmas);
      return connection;
    },
  };
}

async function createPostgresqlClient(
  href: string,
  { timeout, poolMax, writable }: ClientOptions,
): Promise<CreatedClient> {
  const [{ PrismaPg }, { default: pg }, { parseIntoClientConfig }, { PrismaClient }] = await Promise.all([
    import('@prisma/adapter-pg'),
    import('pg'),
    import('pg-connection-string'),
    import('../../generated/postgresql/client.js'),
  ]);
  const pool = new pg.Pool({
    // Once: where the pool can't read the files of TLS for a further connection, it throws to nobody.
    ...parseIntoClientConfig(href),
    connectionTimeoutMillis: timeout,
    query_timeout: timeout,
    ...(poolMax && { max: poolMax }),
    ...(writable && { onConnect: refuseReadOnly }),
    fallback_application_name: 'sessions-api',
  });
  // Named prepared statements need the same server connection.
  const isPooled = new URL(href).searchParams.get('pgbouncer') === 'true';
  const adapter = new PrismaPg(pool, {
    disposeExternalPool: true,
    ...(!isPooled && { statementNameGenerator: createStatementNames() }),
  });
  return {
    client: new PrismaClient({ adapter, errorFormat: 'minimal' }),
    poolUse: () => ({ used: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount }),
  };
}

/**
 * As libpq's `target_session_attrs=read-write`. A primary becomes a standby by a restart, which ends its connections: those
 * that have passed lead to a primary. The pool drops a connection at any error, so at a read-only answer too.
 */
export async function refuseReadOnly(connection: ClientBase): Promise<void> {
  const { rows } = await connection.query<{ transaction_read_only: string }>('SHOW transaction_read_only');
  if (rows[0]?.transaction_read_only === 'on')
    throw new Error('it is read-only: a standby, or default_transaction_read_only is on');
}

/**
 * Names the statements that read, so that they are parsed and planned once. Those that write, or read a list of ids, vary with its
 * length: no name.
 */
function createStatementNames(): (query: { sql: string }) => string {
  const names = new Map<string, string>();
  return ({ sql }) => {
    if (!sql.startsWith('SELECT') || sql.includes(' IN (')) return '';
    const name = names.get(sql) ?? `sessions_${names.size}`;
    names.set(sql, name);
    return name;
  };
}
