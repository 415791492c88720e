import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseUrl } from '../config/config.js';
import type { PrismaClient as SqliteClient } from '../generated/sqlite/client.js';
import { type Connection, connectPostgresql, connectSqlite } from './connections.js';
import { DatabaseUnavailable, isBusy, isRefused } from './database-unavailable.js';
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
const NO_PING = { at: Number.NEGATIVE_INFINITY, answer: Promise.resolve() };

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
  let tables = tablesOf(connection);
  const retired = new Map<Connection, NodeJS.Timeout>();
  // The first of these loads Prisma's client.
  const askModel = <T>(question: () => Promise<T>) => ask(question, COMMAND_TIMEOUT);
  // A row of its own: instances that write one and the same would wait for one another.
  const pingKey = `ping:${randomUUID()}`;
  const pingThrough = (tables: Tables, place?: DatabaseUrl) =>
    ask(() => tables.counters.reset([{ key: pingKey, expiresAt: Date.now() }]), timeout, place);
  let lastPing = NO_PING;
  return {
    findForLogin: (...args) => ask(() => tables.findForLogin(...args)),
    users: {
      find: (key) => askModel(() => tables.users.find(key)),
      add: (email, passwordDigest) => askModel(() => tables.users.add(email, passwordDigest)),
      count: () => askModel(() => tables.users.count()),
      list: (page) => askModel(() => tables.users.list(page)),
      replacePasswordDigest: (id, old, digest) => ask(() => tables.users.replacePasswordDigest(id, old, digest)),
      update: (id, change) => askModel(() => tables.users.update(id, change)),
      delete: (id) => askModel(() => tables.users.delete(id)),
    },
    throttleCounters: {
      countFailure: (counts, now) => ask(() => tables.counters.countFailure(counts, now)),
      reset: (reset) => ask(() => tables.counters.reset(reset)),
      remove: (key) => ask(() => tables.counters.remove(key)),
      removeExpired: (now) => ask(() => tables.counters.removeExpired(now)),
    },
    ping() {
      // Each login asks, and anybody may ask for readiness: that costs one row to write now and then.
      if (performance.now() - lastPing.at > PING_LIFETIME) {
        const answer = pingThrough(tables);
        const ping = { at: performance.now(), answer };
        lastPing = ping;
        // What has failed once is tried again by whoever asks next.
        answer.catch(() => {
          if (lastPing === ping) lastPing = NO_PING;
        });
      }
      return lastPing.answer;
    },
    async reconnect(next) {
      const old = connection;
      const opened = await connect(next);
      const openedTables = tablesOf(opened);
      try {
        await pingThrough(openedTables, next);
      } catch (error) {
        retire(opened);
        throw error;
      }
      connection = opened;
      tables = openedTables;
      current = next;
      lastPing = NO_PING;
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
