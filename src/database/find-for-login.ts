import sql, { join } from 'sql-template-tag';
import type { Deadline } from '../errors/deadline.js';
import { normalizeEmail } from '../text/email.js';
import type { RunQuery } from './run-query.js';
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
 * Finds the user of a login, and its counters, in one query: Prisma's two model queries cost twice as much.
 *
 * For an unknown email the digest is that of the next user in the order of emails, or of the first one: it then costs as
 * much as a known one, also in a table with digests of many forms.
 *
 * @param counterKeys - at least one
 */
export type FindForLogin = (
  email: string,
  counterKeys: string[],
  now: number,
  deadline?: Deadline,
) => Promise<FoundForLogin>;

/** The same user in each row, and a counter or none. */
type Row = Record<'id' | 'failures' | 'expires_at', number | bigint | null> &
  Record<'email' | 'password_digest' | 'key', string | null> & { disabled: boolean | number | null };

export function createFindForLogin(run: RunQuery): FindForLogin {
  return async (emailAsGiven, counterKeys, now, deadline) => {
    const email = normalizeEmail(emailAsGiven);
    const nextFrom = (least: string) =>
      run(
        { operation: 'SELECT', table: 'users' },
        (client) => client.$queryRaw<Row[]>(select(least, counterKeys)),
        deadline,
      );
    let rows = await nextFrom(email);
    if (rows[0]?.email === null) rows = await nextFrom('');
    const counters = countersIn(rows, now);
    const [next] = rows;
    if (!next?.password_digest) return { user: undefined, digest: undefined, counters };
    const user = { id: Number(next.id), passwordDigest: next.password_digest, disabled: Boolean(next.disabled) };
    return { user: next.email === email ? user : undefined, digest: user.passwordDigest, counters };
  };
}

/** With `key IN`, or a condition on the time, PostgreSQL may read the whole table of counters. */
function select(least: string, counterKeys: string[]) {
  const byKey = counterKeys.map(
    (key) => sql`SELECT key, failures, expires_at FROM throttle_counters WHERE key = ${key}`,
  );
  return sql`SELECT id, email, password_digest, disabled_at IS NOT NULL AS disabled, key, failures, expires_at
    FROM (SELECT 1) AS one_row
    LEFT JOIN (SELECT id, email, password_digest, disabled_at FROM users WHERE email >= ${least} ORDER BY email LIMIT 1) AS next ON true
    LEFT JOIN (${join(byKey, ' UNION ALL ')}) AS counters ON true`;
}

function countersIn(rows: Row[], now: number): Map<string, Counter> {
  const counters = new Map<string, Counter>();
  for (const { key, failures, expires_at } of rows) {
    const counter = { failures: Number(failures), expiresAt: Number(expires_at) };
    if (key !== null && counter.expiresAt > now) counters.set(key, counter);
  }
  return counters;
}
