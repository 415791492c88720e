import sql, { join, type Sql } from 'sql-template-tag';

/** Failures that count until `expiresAt`, in milliseconds since the epoch. */
export type Counter = { failures: number; expiresAt: number };

export type ThrottleCounters = {
  /** Counts one more failure on each key. A counter that has expired starts again. */
  countFailure(counts: Count[], now: number): Promise<void>;
  /** Sets counters to no failures. */
  reset(counters: { key: string; expiresAt: number }[]): Promise<void>;
  remove(key: string): Promise<void>;
  /** Removes some expired counters, and returns how many. */
  removeExpired(now: number): Promise<number>;
};

export type Count = {
  key: string;
  /** Of a new counter, in milliseconds since the epoch. */
  expiresAt: number;
  /** Whether each failure extends the counter's life. */
  extends: boolean;
};

/** Rows that one statement removes: meanwhile it holds SQLite's only lock, and the event loop. */
const ROWS_AT_A_TIME = 500;

const TABLE = 'throttle_counters';

/** @param execute - returns how many rows were changed; a query of a login is observed */
export function createThrottleCounters(
  execute: (sql: Sql, observed?: { operation: string; table: string }) => Promise<number>,
): ThrottleCounters {
  return {
    async countFailure(counts, now) {
      const rows = sortedByKey(counts).map(({ key, expiresAt }) => sql`(${key}, 1, ${BigInt(expiresAt)})`);
      const extended = ['', ...counts.filter((count) => count.extends).map(({ key }) => key)];
      const query = sql`
        INSERT INTO throttle_counters AS counter (key, failures, expires_at) VALUES ${join(rows)}
        ON CONFLICT (key) DO UPDATE SET
          failures = CASE WHEN counter.expires_at > ${BigInt(now)} THEN counter.failures + 1 ELSE 1 END,
          expires_at = CASE
            WHEN counter.expires_at > ${BigInt(now)} AND counter.key NOT IN (${join(extended)}) THEN counter.expires_at
            ELSE excluded.expires_at
          END`;
      await execute(query, { operation: 'INSERT', table: TABLE });
    },
    async reset(counters) {
      const rows = sortedByKey(counters).map(({ key, expiresAt }) => sql`(${key}, 0, ${BigInt(expiresAt)})`);
      await execute(sql`
        INSERT INTO throttle_counters (key, failures, expires_at) VALUES ${join(rows)}
        ON CONFLICT (key) DO UPDATE SET failures = 0, expires_at = excluded.expires_at`);
    },
    async remove(key) {
      await execute(sql`DELETE FROM throttle_counters WHERE key = ${key}`, { operation: 'DELETE', table: TABLE });
    },
    removeExpired: (now) =>
      execute(sql`
      DELETE FROM throttle_counters WHERE key IN (
        SELECT key FROM throttle_counters WHERE expires_at <= ${BigInt(now)} LIMIT ${ROWS_AT_A_TIME}
      )`),
  };
}

/** The same order everywhere prevents deadlocks. */
function sortedByKey<Row extends { key: string }>(rows: Row[]): Row[] {
  return rows.toSorted((one, other) => (one.key < other.key ? -1 : 1));
}
