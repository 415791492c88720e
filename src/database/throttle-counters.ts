import sql, { join } from 'sql-template-tag';
import type { Deadline } from '../errors/deadline.js';
import type { Client } from './connection/client.js';
import type { RunQuery } from './connection/run-query.js';

/** Failures that count until `expiresAt`, in milliseconds since the epoch. */
export type Counter = { failures: number; expiresAt: number };

export type ThrottleCounters = {
  /** Counts one more failure on each key, and returns the counters by key. */
  countFailure(counts: Count[], deadline?: Deadline): Promise<Map<string, Counter>>;
  /** Sets counters to no failures. */
  reset(counters: { key: string; expiresAt: number }[], deadline?: Deadline): Promise<void>;
  remove(key: string, deadline?: Deadline): Promise<void>;
  /** Removes some expired counters, and returns how many. */
  removeExpired(now: number): Promise<number>;
};

export type Count = {
  key: string;
  /** Of a new counter, in milliseconds since the epoch. */
  expiresAt: number;
  /** Whether each failure extends the counter's life. */
  extends: boolean;
  /** A counter that expires at this time or before starts again. */
  restartsUntil: number;
};

/** Rows that one statement removes: meanwhile it holds SQLite's only lock, and the event loop. */
const ROWS_AT_A_TIME = 500;

export function createThrottleCounters(runQuery: RunQuery): ThrottleCounters {
  const run = <T>(operation: string, query: (client: Client) => Promise<T>, deadline?: Deadline) =>
    runQuery({ operation, table: 'throttle_counters' }, query, deadline);

  return {
    async countFailure(counts, deadline) {
      const rows = sortedByKey(counts).map(({ key, expiresAt }) => sql`(${key}, 1, ${BigInt(expiresAt)})`);
      const extended = ['', ...counts.filter((count) => count.extends).map(({ key }) => key)];
      const restarts = counts.map(({ key, restartsUntil }) => sql`WHEN ${key} THEN CAST(${restartsUntil} AS BIGINT)`);
      const goesOn = sql`counter.expires_at > CASE counter.key ${join(restarts, ' ')} END`;
      // A clock that was set back has made counters that expire too late.
      const query = sql`
        INSERT INTO throttle_counters AS counter (key, failures, expires_at) VALUES ${join(rows)}
        ON CONFLICT (key) DO UPDATE SET
          failures = CASE WHEN ${goesOn} THEN counter.failures + 1 ELSE 1 END,
          expires_at = CASE
            WHEN ${goesOn} AND counter.key NOT IN (${join(extended)}) AND counter.expires_at < excluded.expires_at
            THEN counter.expires_at
            ELSE excluded.expires_at
          END
        RETURNING key, failures, expires_at`;
      return countersIn(await run('INSERT', (client) => client.$queryRaw<CounterRow[]>(query), deadline));
    },
    async reset(counters, deadline) {
      const rows = sortedByKey(counters).map(({ key, expiresAt }) => sql`(${key}, 0, ${BigInt(expiresAt)})`);
      const query = sql`
        INSERT INTO throttle_counters (key, failures, expires_at) VALUES ${join(rows)}
        ON CONFLICT (key) DO UPDATE SET failures = 0, expires_at = excluded.expires_at`;
      await run('INSERT', (client) => client.$executeRaw(query), deadline);
    },
    async remove(key, deadline) {
      await run('DELETE', ({ throttleCounter }) => throttleCounter.deleteMany({ where: { key } }), deadline);
    },
    async removeExpired(now) {
      const where = { expiresAt: { lte: now } };
      const expired = { where, limit: ROWS_AT_A_TIME };
      return (await run('DELETE', ({ throttleCounter }) => throttleCounter.deleteMany(expired))).count;
    },
  };
}

/** A counter as raw queries return it. */
export type CounterRow = { key: string; failures: number; expires_at: number | bigint };

/** By key. */
export function countersIn(rows: CounterRow[]): Map<string, Counter> {
  return new Map(
    rows.map(({ key, failures, expires_at }) => [key, { failures: Number(failures), expiresAt: Number(expires_at) }]),
  );
}

/** The same order everywhere prevents deadlocks. */
function sortedByKey<Row extends { key: string }>(rows: Row[]): Row[] {
  return rows.toSorted((one, other) => (one.key < other.key ? -1 : 1));
}
