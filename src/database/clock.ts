import { raw } from 'sql-template-tag';
import type { Provider } from './connection/database-url.js';
import type { RunQuery } from './connection/run-query.js';

/** Milliseconds by which the clocks of a host and of its database may differ. */
const MOST_DIFFERENCE = 30_000;

/** PostgreSQL's own time, in milliseconds since the epoch. */
export const CLOCK_SQL = 'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now';

/**
 * Returns a warning if the clocks differ. Throws DatabaseUnavailable.
 *
 * @param now - the clock of this host, in milliseconds since the epoch
 */
export type ClockWarning = (now: () => number) => Promise<string | undefined>;

/** SQLite has the clock of this host. */
export function createClockWarning(runQuery: RunQuery, provider: Provider): ClockWarning {
  if (provider === 'sqlite') return async () => undefined;
  const query = { operation: 'SELECT', table: 'clock' };
  return (now) =>
    warningOf(now, async () => {
      const rows = await runQuery(query, (client) => client.$queryRaw<{ now: number }[]>(raw(CLOCK_SQL)));
      return Number(rows[0]?.now);
    });
}

/** @param read - the database's clock */
export async function warningOf(now: () => number, read: () => Promise<number>): Promise<string | undefined> {
  const before = now();
  const difference = (await read()) - (before + now()) / 2;
  if (Math.abs(difference) <= MOST_DIFFERENCE) return undefined;
  const seconds = Math.round(Math.abs(difference) / 1_000).toLocaleString('en');
  const direction = difference > 0 ? 'ahead of' : 'behind';
  return `the database's clock is ${seconds} s ${direction} this host's: tokens and lockouts end at the wrong time`;
}
