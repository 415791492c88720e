import sql, { join } from 'sql-template-tag';
import type { Deadline } from '../errors/deadline.js';
import type { Client } from './connection/client.js';
import type { RunQuery } from './connection/run-query.js';

/** What a user ends: by their names in the log and the metrics. */
export const REVOCATIONS = ['session', 'all_sessions'] as const;
export type Revocation = (typeof REVOCATIONS)[number];

/** What tells a token from others: never its text, since other spellings of a signature verify. */
export type TokenId = {
  userId: number;
  /** In seconds since the epoch. */
  exp: number;
  jti?: string | undefined;
};

/** All throw DatabaseUnavailable. */
export type Revocations = {
  revoke(token: TokenId): Promise<void>;
  /** Ends all sessions of a user. */
  endSessions(userId: number): Promise<void>;
  /** The first time of expiry, from one on, whose token without `jti` is not revoked. */
  firstFreeExp(userId: number, from: number, deadline: Deadline): Promise<number>;
  /** Removes revocations whose tokens had expired by then, and returns how many. */
  removeExpired(before: number): Promise<number>;
};

/** Seconds by which a token may have been issued later than now: clocks differ by 5, and may be set back by a minute. */
const CLOCK_SKEW = 65;
/** Rows that one statement removes: meanwhile it holds SQLite's only lock, and the event loop. */
const ROWS_AT_A_TIME = 500;
/** Keys that one query looks up. */
const KEYS_AT_A_TIME = 100;

export function keyOf({ userId, exp, jti }: TokenId): string {
  return jti === undefined ? `${userId}:${exp}` : `jti:${jti}`;
}

/** The key of a token without `jti`, of the user in a row. */
export function keyIn(userId: ReturnType<typeof sql>, exp: number) {
  return sql`CAST(${userId} AS TEXT) || ${`:${exp}`}`;
}

/**
 * The statement that ends all sessions of users: it refuses tokens up to the last expiry that one may have. That is after
 * the longest lifetime, or just after what was ended before: logins step over it.
 *
 * @param userIds - at least one
 * @param lifetime - seconds that a token lives at least, where none is recorded
 * @param now - milliseconds since the epoch
 */
export function endSessionsQuery(userIds: number[], lifetime: number, now: number) {
  const latest = sql`CAST(${BigInt(Math.floor(now / 1000) + CLOCK_SKEW)} AS BIGINT)`;
  const ids = join(userIds.map((id) => sql`(CAST(${id} AS INTEGER))`));
  return sql`WITH ids (id) AS (VALUES ${ids})
    INSERT INTO session_watermarks (user_id, exp)
    SELECT id, max(candidate) FROM (
      SELECT id, ${latest} + CAST(${lifetime} AS INTEGER) AS candidate FROM ids
      UNION ALL SELECT id, ${latest} + seconds FROM ids CROSS JOIN token_lifetimes
        WHERE issued_until + 1000 * CAST(seconds AS BIGINT) > ${BigInt(now)}
      UNION ALL SELECT id, exp + 1 FROM ids JOIN session_watermarks ON user_id = id
      UNION ALL SELECT id, exp + 1 FROM ids JOIN revoked_tokens ON user_id = id
    ) AS candidates GROUP BY id HAVING true
    ON CONFLICT (user_id) DO UPDATE SET exp = CASE
      WHEN session_watermarks.exp < excluded.exp THEN excluded.exp ELSE session_watermarks.exp + 1 END`;
}

/** Lifetime and clock: see endSessionsQuery. */
export function createRevocations(
  runQuery: RunQuery,
  { lifetime, now }: { lifetime: number; now: () => number },
): Revocations {
  const run = <T>(operation: string, table: string, query: (client: Client) => Promise<T>, deadline?: Deadline) =>
    runQuery({ operation, table }, query, deadline);

  return {
    async revoke(token) {
      const create = { key: keyOf(token), userId: token.userId, exp: BigInt(token.exp) };
      // With nothing to update, Prisma would look first, and two log-outs at once would both insert.
      const update = { exp: create.exp };
      await run('INSERT', 'revoked_tokens', ({ revokedToken }) =>
        revokedToken.upsert({ where: { key: create.key }, create, update }),
      );
    },
    async endSessions(userId) {
      await run('INSERT', 'session_watermarks', (client) =>
        client.$executeRaw(endSessionsQuery([userId], lifetime, now())),
      );
    },
    async firstFreeExp(userId, from, deadline) {
      for (let first = from; ; first += KEYS_AT_A_TIME) {
        const exps = Array.from({ length: KEYS_AT_A_TIME }, (_, index) => first + index);
        const where = { key: { in: exps.map((exp) => keyOf({ userId, exp })) } };
        const find = ({ revokedToken }: Client) => revokedToken.findMany({ where });
        const rows = await run('SELECT', 'revoked_tokens', find, deadline);
        const revoked = new Set(rows.map(({ exp }) => Number(exp)));
        const free = exps.find((exp) => !revoked.has(exp));
        if (free !== undefined) return free;
      }
    },
    async removeExpired(before) {
      const where = { exp: { lt: BigInt(Math.floor(before / 1000)) } };
      const tokens = await run('DELETE', 'revoked_tokens', ({ revokedToken }) =>
        revokedToken.deleteMany({ where, limit: ROWS_AT_A_TIME }),
      );
      const watermarks = await run('DELETE', 'session_watermarks', ({ sessionWatermark }) =>
        sessionWatermark.deleteMany({ where, limit: ROWS_AT_A_TIME }),
      );
      return tokens.count + watermarks.count;
    },
  };
}
