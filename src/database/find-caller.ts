import sql from 'sql-template-tag';
import { keyOf, type TokenId } from './revocations.js';
import type { RunQuery } from './run-query.js';

export type FoundCaller = {
  /** Undefined where there is no such user. */
  user: { disabled: boolean } | undefined;
  isRevoked: boolean;
  /** All sessions of the user whose tokens expire then or before have ended; 0 where they never have. */
  watermark: number;
  /** In seconds, of the tokens that may not have expired; 0 where none is recorded. */
  longestLifetime: number;
};

/**
 * Finds what decides whether a token is good, in one query: Prisma's model query alone costs more.
 *
 * @param now - milliseconds since the epoch
 * @throws DatabaseUnavailable
 */
export type FindCaller = (token: TokenId, now: number) => Promise<FoundCaller>;

type Row = {
  id: number | bigint | null;
  disabled_at: unknown;
  revoked: string | null;
  watermark: number | bigint | null;
  longest_lifetime: number | bigint | null;
};

export function createFindCaller(run: RunQuery): FindCaller {
  return async (token, now) => {
    const query = sql`SELECT known.id, known.disabled_at, revoked.key AS revoked, watermarks.exp AS watermark,
        (SELECT max(seconds) FROM token_lifetimes
          WHERE issued_until + 1000 * CAST(seconds AS BIGINT) > ${BigInt(now)}) AS longest_lifetime
      FROM (SELECT 1) AS one_row
      LEFT JOIN users AS known ON known.id = ${token.userId}
      LEFT JOIN revoked_tokens AS revoked ON revoked.key = ${keyOf(token)}
      LEFT JOIN session_watermarks AS watermarks ON watermarks.user_id = ${token.userId}`;
    const name = { operation: 'SELECT', table: 'users' };
    const [row] = await run(name, (client) => client.$queryRaw<Row[]>(query));
    return {
      user: row && row.id !== null ? { disabled: row.disabled_at !== null } : undefined,
      isRevoked: row !== undefined && row.revoked !== null,
      watermark: Number(row?.watermark ?? 0),
      longestLifetime: Number(row?.longest_lifetime ?? 0),
    };
  };
}
