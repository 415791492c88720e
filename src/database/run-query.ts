import { setTimeout as wait } from 'node:timers/promises';
import { createDeadline, type Deadline, within } from '../errors/deadline.js';
import type { Client } from './client.js';
import { DatabaseUnavailable, isBusy, isRefused, NO_ANSWER } from './database-unavailable.js';
import type { DatabaseUrl } from './database-url.js';
import { DatabaseReplaced } from './sqlite-file.js';

/** What a query does, in the words of SQL. */
export type QueryName = { operation: string; table: string };

/** Runs a query of Prisma's client. Throws DatabaseUnavailable. */
export type RunQuery = <T>(
  name: QueryName,
  query: (client: Client) => Promise<T>,
  deadline?: Deadline | undefined,
) => Promise<T>;

export type RunQueryOptions = {
  /** Milliseconds for a query that has no deadline. */
  timeout: number;
  /** Called each time that a query has failed. */
  onFailure?: (() => void) | undefined;
  /** Called where the file of the database has been replaced: nothing can be read from now on. */
  onReplaced?: ((error: DatabaseReplaced) => void) | undefined;
  /** Runs a query, for traces. */
  observe?: (<T>(name: QueryName, run: () => Promise<T>) => Promise<T>) | undefined;
};

/** Milliseconds between retries while another process has SQLite's lock, for each query that waits for it. */
const BUSY_RETRY = 10;
const LONGEST_BUSY_RETRY = 200;
/** Milliseconds between retries while PostgreSQL refuses the password. */
const REFUSED_RETRY = 50;

export function createRunQuery(
  connection: () => { url: DatabaseUrl; client: Client; checkFile: () => void },
  { timeout, onFailure, onReplaced, observe = (_name, run) => run() }: RunQueryOptions,
): RunQuery {
  let waiting = 0;

  /** SQLite's own busy timeout would block the event loop. A refused password has just been changed: an open connection may be free. */
  async function retryLater(error: unknown, deadline: Deadline): Promise<void> {
    if (!isBusy(error) && !isRefused(error)) throw error;
    waiting += 1;
    const pause = isBusy(error) ? Math.min(BUSY_RETRY * waiting, LONGEST_BUSY_RETRY) : REFUSED_RETRY;
    try {
      if (deadline.remaining() <= pause) throw error;
      await wait(pause);
    } finally {
      waiting -= 1;
    }
  }

  return (name, query, deadline = createDeadline(timeout)) =>
    observe(name, async () => {
      const { url, client, checkFile } = connection();
      try {
        checkFile();
        for (;;) {
          try {
            return await within(
              deadline,
              () => query(client),
              () => new Error(NO_ANSWER),
            );
          } catch (error) {
            await retryLater(error, deadline);
          }
        }
      } catch (error) {
        onFailure?.();
        if (error instanceof DatabaseReplaced) onReplaced?.(error);
        throw new DatabaseUnavailable(url, error);
      }
    });
}
