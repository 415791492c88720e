import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  type DriverAdapterError,
  isDriverAdapterError,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { DatabaseUrl } from './config.js';
import { ExpectedError } from './expected-error.js';
import type { PrismaClient } from './generated/sqlite/client.js';
import { applyMigrations, hasPendingMigrations } from './migrations.js';
import { createThrottleCounters, type ThrottleCounters } from './throttle-counters.js';
import { createUsers, type Users } from './users.js';

export type Database = {
  users: Users;
  throttleCounters: ThrottleCounters;
  /** Resolves when the database answers and can be written to, and throws DatabaseUnavailable when it can't. */
  ping(): Promise<void>;
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

/**
 * Opens a database whose migrations have been applied.
 *
 * @param timeout - milliseconds in which it has to do what it is asked
 * @throws DatabaseUnavailable
 */
export async function openDatabase(url: DatabaseUrl, timeout: number = COMMAND_TIMEOUT): Promise<Database> {
  const client = url.provider === 'sqlite' ? await openSqlite(url.file) : await openPostgresql(url.href, timeout);
  const users = createUsers(client);
  const counters = createThrottleCounters(client);
  try {
    // The first query loads the query compiler, which no login should have to wait for.
    await users.findForLogin('');
  } catch (error) {
    throw new DatabaseUnavailable(url, error);
  }
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    try {
      return await withinTimeout(timeout, question);
    } catch (error) {
      throw new DatabaseUnavailable(url, error);
    }
  };
  const ping = async () => {
    const now = Date.now();
    await ask(() => counters.reset([{ key: 'ping', expiresAt: now }]));
  };
  let lastPing = { at: Number.NEGATIVE_INFINITY, answer: Promise.resolve() };
  return {
    users: {
      findForLogin: (email) => ask(() => users.findForLogin(email)),
      find: (key) => ask(() => users.find(key)),
      add: (email, passwordDigest) => ask(() => users.add(email, passwordDigest)),
      count: () => ask(() => users.count()),
      list: (page) => ask(() => users.list(page)),
      replacePasswordDigest: (id, old, digest) => ask(() => users.replacePasswordDigest(id, old, digest)),
      update: (id, change) => ask(() => users.update(id, change)),
      delete: (id) => ask(() => users.delete(id)),
    },
    throttleCounters: {
      find: (keys, now) => ask(() => counters.find(keys, now)),
      countFailure: (counts, now) => ask(() => counters.countFailure(counts, now)),
      reset: (reset) => ask(() => counters.reset(reset)),
      remove: (key) => ask(() => counters.remove(key)),
      removeExpired: (now) => ask(() => counters.removeExpired(now)),
    },
    ping() {
      // Anybody may ask, as often as they like: that costs one row to write now and then.
      if (performance.now() - lastPing.at > PING_LIFETIME) lastPing = { at: performance.now(), answer: ping() };
      return lastPing.answer;
    },
    close: () => client.$disconnect(),
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
  return driverErrorOf(error)?.originalCode === 'SQLITE_BUSY';
}

function isRefused(error: unknown): boolean {
  return driverErrorOf(error)?.kind === 'AuthenticationFailed';
}

async function openSqlite(file: string): Promise<PrismaClient> {
  const { PrismaClient } = await import('./generated/sqlite/client.js');
  const adapter = new PrismaBetterSqlite3({ url: file, timeout: 0 });
  const client = new PrismaClient({ adapter, errorFormat: 'minimal' });
  // In WAL mode anything less than FULL may lose what was acknowledged when the power fails.
  await client.$queryRaw`PRAGMA synchronous = FULL`;
  await client.$queryRaw`PRAGMA foreign_keys = ON`;
  return client;
}

async function openPostgresql(href: string, timeout: number): Promise<PrismaClient> {
  const { PrismaClient } = await import('./generated/postgresql/client.js');
  // Both clients are generated from the same models, so they differ in the SQL they send and not in what they offer.
  const adapter = new PrismaPg({
    connectionString: href,
    connectionTimeoutMillis: timeout,
    query_timeout: timeout,
  });
  return new PrismaClient({ adapter, errorFormat: 'minimal' }) as unknown as PrismaClient;
}

/**
 * The schema engine takes SQLite's exclusive lock, which it never gets while another instance has the file open. So a
 * lock of our own, on a file beside it, keeps others out before they open it; the system drops it when a process dies.
 */
async function migrateSqlite(file: string): Promise<string[]> {
  // The digests in it are nobody else's business.
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
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
    connectionTimeoutMillis: CONNECTION_TIMEOUT,
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
  const driverError = driverErrorOf(error);
  if (!driverError) return error instanceof Error ? error.message : String(error);
  const { kind, originalMessage } = driverError;
  return originalMessage ?? kind.replaceAll(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}

/** The driver's error, which the client wraps. */
function driverErrorOf(error: unknown): DriverAdapterError['cause'] | undefined {
  if (isDriverAdapterError(error)) return error.cause;
  if (!(error instanceof Error && 'meta' in error)) return undefined;
  const { driverAdapterError } = error.meta as { driverAdapterError?: unknown };
  return isDriverAdapterError(driverAdapterError) ? driverAdapterError.cause : undefined;
}
