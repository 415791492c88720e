import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
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
  /** Throws DatabaseUnavailable where the database does not answer, or can't be written to. */
  ping(): Promise<void>;
  /**
   * Changes to another URL of the same database. Open connections are closed once their queries have ended. Where it throws
   * DatabaseUnavailable, nothing has changed.
   */
  reconnect(url: DatabaseUrl): Promise<void>;
  close(): Promise<void>;
};

/** Milliseconds for each query of a login: it has two, and is answered within 3 s. */
export const LOGIN_TIMEOUT = 1_400;
/** Milliseconds for each query of a command. */
const COMMAND_TIMEOUT = 30_000;
/** Milliseconds between retries while another process has SQLite's lock. */
const SQLITE_BUSY_RETRY = 10;
/** Milliseconds between retries while PostgreSQL refuses the password. */
const REFUSED_RETRY = 50;
/** Milliseconds for which the answer to a ping is used again. */
const PING_LIFETIME = 500;

export type DatabaseOptions = {
  /** Milliseconds for each query of a login. */
  timeout?: number;
  /** Connections to PostgreSQL; the driver's default unless given. */
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
  const connect = (to: DatabaseUrl) =>
    run(
      () => (to.provider === 'sqlite' ? connectSqlite(to.file) : connectPostgresql(to.href, timeout, poolMax)),
      timeout,
      to,
    );
  let connection = await connect(url);
  let findForLogin = createFindForLogin(connection.queries);
  const retired = new Map<Connection, NodeJS.Timeout>();
  const throttleCounters = createThrottleCounters((sql, observed) => {
    const execute = () => run(() => connection.queries.execute(sql));
    return observed ? observe(observed, execute) : execute();
  });
  // A row for each instance: those that write the same row would wait for each other.
  const pingRow = [{ key: `ping:${randomUUID()}`, expiresAt: Date.now() }];
  const newPing = () => createPing(() => throttleCounters.reset(pingRow));
  let ping = newPing();

  function retire(old: Connection): void {
    retired.delete(old);
    old.close().catch(() => {});
  }

  return {
    findForLogin: (...args) => observe({ operation: 'SELECT', table: 'users' }, () => run(() => findForLogin(...args))),
    users: createUsers(
      (sql) => run(() => connection.queries.execute(sql)),
      // The first of these loads Prisma's client.
      (query) => run(async () => query((await connection.openClient()).user), COMMAND_TIMEOUT),
    ),
    throttleCounters,
    ping: () => ping(),
    async reconnect(next) {
      const opened = await connect(next);
      try {
        const { reset } = createThrottleCounters((sql) => run(() => opened.queries.execute(sql), timeout, next));
        await reset(pingRow);
      } catch (error) {
        retire(opened);
        throw error;
      }
      // By then all queries on it have ended.
      retired.set(connection, setTimeout(retire, 2 * timeout, connection).unref());
      connection = opened;
      findForLogin = createFindForLogin(opened.queries);
      current = next;
      // Drops the old connection's answer.
      ping = newPing();
    },
    async close() {
      for (const timer of retired.values()) clearTimeout(timer);
      await Promise.all([connection, ...retired.keys()].map((open) => open.close()));
    },
  };
}

/** Writes at most once per PING_LIFETIME: each login pings, and anybody may ask for readiness. */
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
 * Retries while SQLite is locked: its own busy timeout would block the event loop. And while PostgreSQL refuses the role's
 * password, which has just been changed: an open connection may be free next time.
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
