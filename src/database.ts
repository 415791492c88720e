import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type DriverAdapterError,
  isDriverAdapterError,
  type SqlDriverAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { DatabaseUrl } from './config.js';
import { ExpectedError } from './expected-error.js';
import { createFindForLogin, type FindForLogin } from './find-for-login.js';
import type { PrismaClient as SqliteClient } from './generated/sqlite/client.js';
import { applyMigrations, hasPendingMigrations } from './migrations.js';
import { createPostgresqlQueries, createSqliteQueries, type Queries } from './queries.js';
import { createThrottleCounters, type ThrottleCounters } from './throttle-counters.js';
import { createUsers, type Users } from './users.js';

export type Database = {
  /** Throws DatabaseUnavailable also where the database can't be written to: what fails there would not be counted. */
  findForLogin: FindForLogin;
  users: Users;
  throttleCounters: ThrottleCounters;
  /** Resolves when the database answers and can be written to, and throws DatabaseUnavailable when it can't. */
  ping(): Promise<void>;
  /**
   * From now on asks through connections to another URL of the same database. Those that are open are closed once nobody
   * waits for them. Where it throws DatabaseUnavailable, nothing has changed.
   */
  reconnect(url: DatabaseUrl): Promise<void>;
  close(): Promise<void>;
};

/** The database did not do what was asked; whoever asked may try again. The reason is in `cause`. */
export class DatabaseUnavailable extends ExpectedError {
  constructor(url: DatabaseUrl, cause: unknown) {
    super(`the database at ${placeOf(url)} does not answer: ${reasonOf(cause)}`, { cause });
  }
}

/** Milliseconds for each thing that a login asks: it asks twice, and is answered within 3 s. */
export const LOGIN_TIMEOUT = 1_400;
/** Milliseconds that a command has patience for; nobody waits for its answer as for that of a login. */
const COMMAND_TIMEOUT = 30_000;
// In WAL mode anything less than FULL may lose what was acknowledged when the power fails.
const SQLITE_PRAGMAS = 'PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON';
/** Fails where the database can't be used: its migrations have not been applied, say. */
const PROBE = 'SELECT 1 FROM users LIMIT 1; SELECT 1 FROM throttle_counters LIMIT 1';
/** Milliseconds until the next try, where another process has SQLite's lock. */
const SQLITE_BUSY_RETRY = 10;
/** Milliseconds until the next try, where PostgreSQL has refused the password. */
const REFUSED_RETRY = 50;
/** Milliseconds that what is known of the database's health stays true. */
const PING_LIFETIME = 500;
/** Milliseconds that a start waits for a connection to PostgreSQL. */
const CONNECTION_TIMEOUT = 5_000;
/** Milliseconds that a start waits for another instance's migrations. */
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

export type DatabaseOptions = {
  /** Milliseconds in which it has to do what a login asks. */
  timeout?: number;
  /** Connections to PostgreSQL at once; the driver's own default unless given. */
  poolMax?: number;
  /** Told each time that it has not done what it was asked. */
  onFailure?: (() => void) | undefined;
};

/**
 * Opens a database whose migrations have been applied.
 *
 * @throws DatabaseUnavailable
 */
export async function openDatabase(
  url: DatabaseUrl,
  { timeout = COMMAND_TIMEOUT, poolMax, onFailure }: DatabaseOptions = {},
): Promise<Database> {
  let current = url;
  const ask = async <T>(question: () => Promise<T>, patience = timeout, place = current): Promise<T> => {
    try {
      return await withinTimeout(patience, question);
    } catch (error) {
      onFailure?.();
      throw new DatabaseUnavailable(place, error);
    }
  };
  const connect = (to: DatabaseUrl) =>
    ask(
      () => (to.provider === 'sqlite' ? connectSqlite(to.file) : connectPostgresql(to.href, timeout, poolMax)),
      timeout,
      to,
    );
  let connection = await connect(url);
  let { findForLogin, users, counters } = tablesOf(connection);
  const retired = new Map<Connection, NodeJS.Timeout>();
  // The first of these loads Prisma's client.
  const askModel = <T>(question: () => Promise<T>) => ask(question, COMMAND_TIMEOUT);
  let lastPing = { at: Number.NEGATIVE_INFINITY, answer: Promise.resolve() };
  // Anybody may cause one, as often as they like: that costs one row to write now and then.
  const ping = () => {
    if (performance.now() - lastPing.at > PING_LIFETIME) {
      const written = [{ key: 'ping', expiresAt: Date.now() }];
      lastPing = { at: performance.now(), answer: ask(() => counters.reset(written)) };
    }
    return lastPing.answer;
  };
  return {
    async findForLogin(...args) {
      const [found] = await Promise.all([ask(() => findForLogin(...args)), ping()]);
      return found;
    },
    users: {
      find: (key) => askModel(() => users.find(key)),
      add: (email, passwordDigest) => askModel(() => users.add(email, passwordDigest)),
      count: () => askModel(() => users.count()),
      list: (page) => askModel(() => users.list(page)),
      replacePasswordDigest: (id, old, digest) => ask(() => users.replacePasswordDigest(id, old, digest)),
      update: (id, change) => askModel(() => users.update(id, change)),
      delete: (id) => askModel(() => users.delete(id)),
    },
    throttleCounters: {
      countFailure: (counts, now) => ask(() => counters.countFailure(counts, now)),
      reset: (reset) => ask(() => counters.reset(reset)),
      remove: (key) => ask(() => counters.remove(key)),
      removeExpired: (now) => ask(() => counters.removeExpired(now)),
    },
    ping,
    async reconnect(next) {
      const old = connection;
      connection = await connect(next);
      current = next;
      ({ findForLogin, users, counters } = tablesOf(connection));
      // By then all that it was asked has been answered, or given up.
      retired.set(old, setTimeout(retire, 2 * timeout, old).unref());
    },
    async close() {
      for (const timer of retired.values()) clearTimeout(timer);
      await Promise.all([connection, ...retired.keys()].map((open) => open.close()));
    },
  };

  /** What is broken already needs no closing. */
  function retire(old: Connection): void {
    retired.delete(old);
    old.close().catch(() => {});
  }
}

function tablesOf({ queries, openClient }: Connection) {
  let client: Promise<SqliteClient> | undefined;
  const openModel = async () => {
    client ??= openClient();
    return (await client).user;
  };
  return {
    findForLogin: createFindForLogin(queries),
    users: createUsers(queries, openModel),
    counters: createThrottleCounters(queries),
  };
}

/**
 * Asks again while SQLite is locked: its own way to wait would hold up the event loop. And while no connection can be opened
 * because the role's password has just been changed: one that is open may be free next time.
 */
async function withinTimeout<T>(timeout: number, question: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeout;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  });
  try {
    for (;;) {
      try {
        return await Promise.race([question(), tooLate]);
      } catch (error) {
        const retryAfter = isBusy(error) ? SQLITE_BUSY_RETRY : isRefused(error) ? REFUSED_RETRY : undefined;
        if (retryAfter === undefined || performance.now() > deadline) throw error;
        await Promise.race([wait(retryAfter), tooLate]);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function isBusy(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_BUSY';
}

/** PostgreSQL's invalid_password, and invalid_authorization_specification: there is no such role. */
function isRefused(error: unknown): boolean {
  return ['28P01', '28000'].includes(String(codeOf(error)));
}

type Connection = {
  queries: Queries;
  /** Prisma's client, which only commands use. */
  openClient(): Promise<SqliteClient>;
  close(): Promise<void>;
};

// A process loads the driver of its own database alone.

async function connectSqlite(file: string): Promise<Connection> {
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
      const { PrismaClient } = await import('./generated/sqlite/client.js');
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

/** A pool that is bounded, and that Prisma's client shares. */
async function connectPostgresql(href: string, timeout: number, max: number | undefined): Promise<Connection> {
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
        import('./generated/postgresql/client.js'),
      ]);
      // Both clients are generated from the same models, so they differ in the SQL they send and not in what they offer.
      return new PrismaClient({ adapter: new PrismaPg(pool), errorFormat: 'minimal' }) as unknown as SqliteClient;
    },
    close: () => pool.end(),
  };
}

async function sqliteAdapter(file: string, timeout: number): Promise<SqlMigrationAwareDriverAdapterFactory> {
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

/**
 * The schema engine takes SQLite's exclusive lock, which it never gets while another instance has the file open. So a
 * lock of our own, on a file beside it, keeps others out before they open it; the system drops it when a process dies.
 */
async function migrateSqlite(file: string): Promise<string[]> {
  // The digests in it are nobody else's business.
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const lock = await (await sqliteAdapter(`${file}-migration-lock`, SQLITE_MIGRATION_TIMEOUT)).connect();
  try {
    await lock.executeScript('BEGIN EXCLUSIVE');
    const adapter = await sqliteAdapter(file, SQLITE_MIGRATION_TIMEOUT);
    // Also for a file that was restored from a copy: VACUUM INTO leaves the mode behind.
    const connection = await adapter.connect();
    await connection.executeScript('PRAGMA journal_mode = WAL').finally(() => connection.dispose());
    return (await hasPendingMigrations('sqlite', adapter)) ? await applyMigrations('sqlite', adapter) : [];
  } finally {
    await lock.dispose();
  }
}

async function migratePostgresql(href: string): Promise<string[]> {
  const { PrismaPg } = await import('@prisma/adapter-pg');
  // No limit on a statement's time: a migration may take longer than a login waits.
  const adapter: SqlMigrationAwareDriverAdapterFactory = new PrismaPg({
    connectionString: href,
    connectionTimeoutMillis: CONNECTION_TIMEOUT,
  });
  return (await hasPendingMigrations('postgresql', adapter)) ? applyMigrations('postgresql', adapter) : [];
}

/** The URL without its password. */
function placeOf(url: DatabaseUrl): string {
  if (url.provider === 'sqlite') return `file:${url.file}`;
  const { protocol, host, pathname } = new URL(url.href);
  return `${protocol}//${host}${pathname}`;
}

/** The driver's own words; where it has none, its code, or the kind of its error, such as DatabaseNotReachable, in words. */
function reasonOf(error: unknown): string {
  const driverError = driverErrorOf(error);
  if (driverError) {
    const { kind, originalMessage } = driverError;
    return originalMessage ?? kind.replaceAll(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
  }
  return error instanceof Error ? error.message || String(codeOf(error)) : String(error);
}

/** The driver's own code. */
function codeOf(error: unknown): unknown {
  const driverError = driverErrorOf(error);
  if (driverError) return driverError.originalCode;
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** The driver's error, which Prisma's adapter, and its client, wrap. */
function driverErrorOf(error: unknown): DriverAdapterError['cause'] | undefined {
  if (isDriverAdapterError(error)) return error.cause;
  if (!(error instanceof Error && 'meta' in error)) return undefined;
  const { driverAdapterError } = error.meta as { driverAdapterError?: unknown };
  return isDriverAdapterError(driverAdapterError) ? driverAdapterError.cause : undefined;
}
