import { setTimeout as wait } from 'node:timers/promises';
import { createDeadline, type Deadline, within } from '../../errors/deadline.js';
import type { Client } from './client.js';
import { DatabaseUnavailable, isBusy, isRefused, NO_ANSWER } from './database-unavailable.js';
import type { DatabaseUrl } from './database-url.js';
import { createLockQueue } from './lock-queue.js';
import { DatabaseReplaced, type FileCheck } from './sqlite-file.js';

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

/** Milliseconds between retries while PostgreSQL refuses the password. */
const REFUSED_RETRY = 50;

export function createRunQuery(
  connection: () => { url: DatabaseUrl; client: Client; file: Pick<FileCheck, 'check'> | undefined },
  { timeout, onFailure, onReplaced, observe = (_name, run) => run() }: RunQueryOptions,
): RunQuery {
  const lockQueue = createLockQueue();

  async function retryLater(error: unknown, deadline: Deadline): Promise<void> {
    if (isBusy(error)) return lockQueue.wait(error, deadline);
    if (!isRefused(error) || deadline.remaining() <= REFUSED_RETRY) throw error;
    // The password has just been changed: an open connection may be free.
    await wait(REFUSED_RETRY);
  }

  async function runUntil<T>(deadline: Deadline, query: () => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries += 1) {
      try {
        const result = await within(deadline, query, () => new Error(NO_ANSWER));
        if (retries > 0) lockQueue.proceed();
        return result;
      } catch (error) {
        await retryLater(error, deadline);
      }
    }
  }

  return (name, query, deadline = createDeadline(timeout)) =>
    observe(name, async () => {
      try {
        return await runUntil(deadline, () => {
          // A retry may find another one: see connectTo.
          const { client, file } = connection();
          file?.check();
          return query(client);
        });
      } catch (error) {
        onFailure?.();
        if (error instanceof DatabaseReplaced) onReplaced?.(error);
        throw new DatabaseUnavailable(connection().url, error);
      }
    });
}
