import sql from 'sql-template-tag';
import type { RunQuery } from './run-query.js';

export type FoundCaller = {
  /** Undefined where there is no such user. */
  user: { disabled: boolean } | undefined;
  /** In seconds, of the tokens that may not have expired; 0 where none is recorded. */
  longestLifetime: number;
};

/**
 * Finds what decides whether a token is good, in one query: Prisma's model query alone costs more.
 *
 * @param now - milliseconds since the epoch
 * @throws DatabaseUnavailable
 */
export type FindCaller = (userId: number, now: number) => Promise<FoundCaller>;

type Row = { id: number | bigint | null; disabled_at: unknown; longest_lifetime: number | bigint | null };

export function createFindCaller(run: RunQuery): FindCaller {
  return async (userId, now) => {
    const query = sql`SELECT known.id, known.disabled_at,
        (SELECT max(seconds) FROM token_lifetimes WHERE issued_until + 1000 * seconds > ${now}) AS longest_lifetime
      FROM (SELECT 1) AS one_row LEFT JOIN users AS known ON known.id = ${userId}`;
    const name = { operation: 'SELECT', table: 'users' };
    const [row] = await run(name, (client) => client.$queryRaw<Row[]>(query));
    return {
      user: row && row.id !== null ? { disabled: row.disabled_at !== null } : undefined,
      longestLifetime: Number(row?.longest_lifetime ?? 0),
    };
  };
}
