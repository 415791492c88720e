import sql, { join, type Sql } from 'sql-template-tag';
import { normalizeEmail } from '../text/email.js';
import type { Queries, Query } from './queries.js';
import type { Counter } from './throttle-counters.js';
import type { User } from './users.js';

export type FoundForLogin = {
  user: User | undefined;
  /** The user's, or another user's; undefined where there are no users. */
  digest: string | undefined;
  /** The counters that have not expired, by key. */
  counters: Map<string, Counter>;
};

/**
 * Finds the user of a login. For an unknown email the digest is that of the next user in the order of emails, or of the
 * first one: it then costs as much as a known one, also in a table with digests of many forms.
 *
 * @param counterKeys - at least one
 */
export type FindForLogin = (email: string, counterKeys: string[], now: number) => Promise<FoundForLogin>;

/** All that a login reads, in one query: a round trip costs more than the query. */
export function createFindForLogin({ prepare }: Pick<Queries, 'prepare'>): FindForLogin {
  /** By the number of counters. */
  const queries = new Map<number, Query>();
  function queryFor(counterKeys: string[]): Query {
    const query = queries.get(counterKeys.length) ?? prepare(select('', counterKeys));
    queries.set(counterKeys.length, query);
    return query;
  }
  return async (email, counterKeys, now) => {
    const normalized = normalizeEmail(email);
    const query = queryFor(counterKeys);
    const fromEmail = (least: string) => query([least, ...counterKeys]);
    let rows = await fromEmail(normalized);
    if (rows[0]?.[0] === null) rows = await fromEmail('');
    const counters = countersIn(rows, now);
    const [id, foundEmail, passwordDigest, disabled] = rows[0] ?? [];
    if (typeof passwordDigest !== 'string') return { user: undefined, digest: undefined, counters };
    const user = { id: Number(id), passwordDigest, disabled: Boolean(disabled) };
    return { user: foundEmail === normalized ? user : undefined, digest: passwordDigest, counters };
  };
}

/**
 * A row for each counter, or one without; all with the same user. With `key IN`, or a condition on the time, PostgreSQL may
 * read the whole table.
 */
function select(least: string, counterKeys: string[]): Sql {
  const byKey = counterKeys.map(
    (key) => sql`SELECT key, failures, expires_at FROM throttle_counters WHERE key = ${key}`,
  );
  return sql`
    SELECT id, email, password_digest, disabled_at IS NOT NULL, key, failures, expires_at
    FROM (SELECT 1) AS one_row
    LEFT JOIN (SELECT id, email, password_digest, disabled_at FROM users WHERE email >= ${least} ORDER BY email LIMIT 1) AS nearest ON true
    LEFT JOIN (${join(byKey, ' UNION ALL ')}) AS counters ON true`;
}

function countersIn(rows: unknown[][], now: number): Map<string, Counter> {
  const counters = new Map<string, Counter>();
  for (const [, , , , key, failures, expiresAt] of rows) {
    const counter = { failures: Number(failures), expiresAt: Number(expiresAt) };
    if (key !== null && counter.expiresAt > now) counters.set(String(key), counter);
  }
  return counters;
}
