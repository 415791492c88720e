import { createDeadline, type Deadline, within } from '../errors/deadline.js';
import { type ClockWarning, createClockWarning } from './clock.js';
import { type ClientOptions, type CreatedClient, createClient, type PoolUse } from './connection/client.js';
import { DatabaseUnavailable, NO_ANSWER } from './connection/database-unavailable.js';
import type { DatabaseUrl } from './connection/database-url.js';
import { createRunQuery, type RunQueryOptions } from './connection/run-query.js';
import { createFileCheck, type FileCheck } from './connection/sqlite-file.js';
import { createFindCaller, type FindCaller } from './find-caller.js';
import { createFindForLogin, type FindForLogin } from './find-for-login.js';
import { createFindPeppers, type FindPeppers } from './find-peppers.js';
import { createUserImport, type UserImport } from './import/user-import.js';
import { createOneTimeTokens, type OneTimeTokens } from './one-time-tokens.js';
import { createPing, readTables } from './ping.js';
import { createSecrets, type Secrets } from './secrets.js';
import { createSessions, type Sessions } from './sessions.js';
import { createThrottleCounters, type ThrottleCounters } from './throttle-counters.js';
import { createUsers, type Users } from './users.js';

export type Database = {
  findForLogin: FindForLogin;
  findCaller: FindCaller;
  findPeppers: FindPeppers;
  secrets: Secrets;
  sessions: Sessions;
  users: Users;
  oneTimeTokens: OneTimeTokens;
  userImport: UserImport;
  throttleCounters: ThrottleCounters;
  clockWarning: ClockWarning;
  /** Throws DatabaseUnavailable where the database does not answer, lacks a table, or can't be written to. */
  ping(deadline?: Deadline): Promise<void>;
  /** Undefined on SQLite. */
  poolUse(): PoolUse | undefined;
  /**
   * Connects to another URL of the same database, which is then used or discarded.
   *
   * @throws DatabaseUnavailable
   */
  connectTo(url: DatabaseUrl): Promise<NextConnection>;
  close(): Promise<void>;
};

export type NextConnection = {
  findPeppers: FindPeppers;
  /** Queries run on it from now on. Open connections are closed once their queries have ended. */
  use(): void;
  discard(): Promise<void>;
};

/** Milliseconds for each query of a command. */
const COMMAND_TIMEOUT = 30_000;
/** Milliseconds for the first query, which loads Prisma's query compiler too. */
const CONNECT_TIMEOUT = 10_000;

export type DatabaseOptions = Partial<RunQueryOptions> & Pick<ClientOptions, 'poolMax' | 'writable' | 'bulk'>;

type Opened = CreatedClient & { url: DatabaseUrl; file: FileCheck | undefined };
type Connection = Opened & { ping(): Promise<void> };

/**
 * Opens a database whose migrations have been applied.
 *
 * @throws DatabaseUnavailable
 */
export async function openDatabase(
  url: DatabaseUrl,
  { timeout = COMMAND_TIMEOUT, poolMax, writable, bulk, ...options }: DatabaseOptions = {},
): Promise<Database> {
  const runOn = (current: () => Opened) => createRunQuery(current, { timeout, ...options });
  let connection = await connect(url);
  const run = runOn(() => connection);
  const secrets = createSecrets(run);
  const tooLate = () => new DatabaseUnavailable(connection.url, NO_ANSWER);
  const retired = new Map<Connection, NodeJS.Timeout>();

  async function connect(to: DatabaseUrl): Promise<Connection> {
    const file = to.provider === 'sqlite' ? createFileCheck(to.file) : undefined;
    const opened = { ...(await createClient(to, { timeout, poolMax, writable, bulk })), url: to, file };
    const runHere = runOn(() => opened);
    try {
      await readTables(runHere, createDeadline(Math.max(timeout, CONNECT_TIMEOUT)));
    } catch (error) {
      await disconnect(opened);
      throw error;
    }
    return { ...opened, ping: createPing(runHere, timeout) };
  }

  return {
    findForLogin: createFindForLogin(run, secrets),
    findCaller: createFindCaller(run),
    findPeppers: createFindPeppers(run),
    secrets,
    sessions: createSessions(run, tooLate),
    users: createUsers(run, url.provider),
    oneTimeTokens: createOneTimeTokens(run),
    userImport: createUserImport(run, url.provider),
    throttleCounters: createThrottleCounters(run),
    clockWarning: createClockWarning(run, url.provider),
    ping: (deadline) => (deadline ? within(deadline, connection.ping, tooLate) : connection.ping()),
    poolUse: () => connection.poolUse?.(),
    async connectTo(next) {
      const opened = await connect(next);
      try {
        await opened.ping();
      } catch (error) {
        await disconnect(opened);
        throw error;
      }
      return {
        findPeppers: createFindPeppers(runOn(() => opened)),
        use() {
          const old = connection;
          const retire = () => retired.delete(old) && disconnect(old);
          // By then all queries on it have ended.
          retired.set(old, setTimeout(retire, 2 * timeout).unref());
          connection = opened;
        },
        discard: () => disconnect(opened),
      };
    },
    async close() {
      for (const timer of retired.values()) clearTimeout(timer);
      await Promise.all([connection, ...retired.keys()].map(disconnect));
    },
  };
}

async function disconnect({ url, client, file }: Opened): Promise<void> {
  // SQLite leaves the write-ahead log of a file that is gone: empty, it can't be applied to the file that replaces it.
  if (url.provider === 'sqlite') await client.$queryRaw`PRAGMA wal_checkpoint(TRUNCATE)`.catch(() => {});
  await client.$disconnect().catch(() => {});
  file?.close();
}
