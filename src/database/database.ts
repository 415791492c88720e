import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.js';
import { type Connection, connectPostgresql, connectSqlite } from './connections.js';
import { DatabaseUnavailable, isBusy, isRefused } from './database-unavailable.js';
import type { DatabaseUrl } from './database-url.js';
import { createFindForLogin, type FindForLogin } from './find-for-login.js';
import { createThrottleCounters, type ThrottleCounters } from './throttle-counters.js';
import { createUsers, type Users } from './users.js';

export type Database = {
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

/** Milliseconds for each query of a login: it has two, and is answered within 3 s. */
export const LOGIN_TIMEOUT = 1_400;
/** Milliseconds for each query of a command. */
const COMMAND_TIMEOUT = 30_000;
/** Milliseconds until the next try, where another process has SQLite's lock. */
const SQLITE_BUSY_RETRY = 10;
/** Milliseconds until the next try, where PostgreSQL has refused the password. */
const REFUSED_RETRY = 50;
/** Milliseconds for which the answer to a ping is used again. */
const PING_LIFETIME = 500;

export type DatabaseOptions = {
  /** Milliseconds for each query of a login. */
  timeout?: number;
  /** Connections to PostgreSQL at once; the driver's own default unless given. */
  poolMax?: number;
  /** Called each time that a query has failed. */
  onFailure?: (() => void) | undefined;
  /** Runs a query of a login, for traces. */
  observe?: (<T>(query: { operation: string; table: string }, run: () => Promise<T>) => Promise<T>) | undefined;
};

/**
 * Opens a database whose migrations have been applied.
 *
 * @throws DatabaseUnavailable
 */
export async function openDatabase(
  url: DatabaseUrl,
  { timeout = COMMAND_TIMEOUT, poolMax, onFailure, observe = (_query, run) => run() }: DatabaseOptions = {},
): Promise<Database> {
  let current = url;
  const run = async <T>(query: () => Promise<T>, deadline = timeout, to = current): Promise<T> => {
    try {
      return await withinDeadline(deadline, query);
    } catch (error) {
      onFailure?.();
      throw new DatabaseUnavailable(to, error);
    }
  };
  const runObserved = <T>(operation: string, table: string, query: () => Promise<T>) =>
    observe({ operation, table }, () => run(query));
  const connect = (to: DatabaseUrl) =>
    run(
      () => (to.provider === 'sqlite' ? connectSqlite(to.file) : connectPostgresql(to.href, timeout, poolMax)),
      timeout,
      to,
    );
  let connection = await connect(url);
  let tables = tablesOf(connection);
  const retired = new Map<Connection, NodeJS.Timeout>();
  // The first of these loads Prisma's client.
  const runModel = <T>(query: () => Promise<T>) => run(query, COMMAND_TIMEOUT);
  // A row of its own: instances that write one and the same would wait for one another.
  const pingKey = `ping:${randomUUID()}`;
  const writeTo = (tables: Tables, to?: DatabaseUrl) =>
    run(() => tables.counters.reset([{ key: pingKey, expiresAt: Date.now() }]), timeout, to);
  let ping = createPing(() => writeTo(tables));
  return {
    findForLogin: (...args) => runObserved('SELECT', 'users', () => tables.findForLogin(...args)),
    users: {
      find: (key) => runModel(() => tables.users.find(key)),
      add: (email, passwordDigest) => runModel(() => tables.users.add(email, passwordDigest)),
      count: () => runModel(() => tables.users.count()),
      list: (page) => runModel(() => tables.users.list(page)),
      replacePasswordDigest: (id, old, digest) => run(() => tables.users.replacePasswordDigest(id, old, digest)),
      update: (id, change) => runModel(() => tables.users.update(id, change)),
      delete: (id) => runModel(() => tables.users.delete(id)),
    },
    throttleCounters: {
      countFailure: (counts, now) =>
        runObserved('INSERT', 'throttle_counters', () => tables.counters.countFailure(counts, now)),
      reset: (reset) => run(() => tables.counters.reset(reset)),
      remove: (key) => runObserved('DELETE', 'throttle_counters', () => tables.counters.remove(key)),
      removeExpired: (now) => run(() => tables.counters.removeExpired(now)),
    },
    ping: () => ping(),
    async reconnect(next) {
      const old = connection;
      const opened = await connect(next);
      const openedTables = tablesOf(opened);
      try {
        await writeTo(openedTables, next);
      } catch (error) {
        retire(opened);
        throw error;
      }
      connection = opened;
      tables = openedTables;
      current = next;
      ping = createPing(() => writeTo(tables));
      // By then all queries on it have ended.
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

type Tables = { findForLogin: FindForLogin; users: Users; counters: ThrottleCounters };

function tablesOf({ queries, openClient }: Connection): Tables {
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

/** Writes at most once in a while: each login pings, and anybody may ask for readiness. */
function createPing(write: () => Promise<void>): () => Promise<void> {
  let last: { at: number; answer: Promise<void> } | undefined;
  return () => {
    if (last && performance.now() - last.at <= PING_LIFETIME) return last.answer;
    const ping = { at: performance.now(), answer: write() };
    last = ping;
    // After a failure the next caller tries again.
    ping.answer.catch(() => {
      if (last === ping) last = undefined;
    });
    return ping.answer;
  };
}

/**
 * Retries while SQLite is locked: its own way to wait would hold up the event loop. And while no connection can be opened
 * because the role's password has just been changed: one that is open may be free next time.
 */
async function withinDeadline<T>(timeout: number, query: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeout;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  });
  try {
    for (;;) {
      try {
        return await Promise.race([query(), tooLate]);
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
