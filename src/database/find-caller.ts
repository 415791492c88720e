import { setImmediate as nextTurn } from 'node:timers/promises';
import sql, { join, raw } from 'sql-template-tag';
import type { RunQuery } from './connection/run-query.js';
import { keyOf, type TokenId } from './revocations.js';

export type FoundCaller = {
  /** Undefined where there is no such user. */
  user: { disabled: boolean } | undefined;
  isRevoked: boolean;
  /** All sessions of the user whose tokens expire then or before have ended; 0 where they never have. */
  watermark: number;
};

/**
 * Finds what decides whether a token is good. The tokens of requests that arrive in one turn of the event loop share a query:
 * it costs more than the rest of a request.
 *
 * @throws DatabaseUnavailable
 */
export type FindCaller = (token: TokenId) => Promise<FoundCaller>;

type Row = {
  /** Of the token in its query. */
  place: number | bigint;
  id: number | bigint | null;
  disabled_at: unknown;
  revoked: string | null;
  watermark: number | bigint | null;
};

/** Tokens that share a query. PostgreSQL prepares each number of them once. */
const MAX_TOKENS = 16;

export function createFindCaller(run: RunQuery): FindCaller {
  let batch: { tokens: TokenId[]; rows: Promise<Map<number, Row>> } | undefined;

  async function findAll(tokens: TokenId[]): Promise<Map<number, Row>> {
    await nextTurn();
    batch = undefined;
    const query = select(tokens);
    const rows = await run({ operation: 'SELECT', table: 'users' }, (client) => client.$queryRaw<Row[]>(query));
    return new Map(rows.map((row) => [Number(row.place), row]));
  }

  return async (token) => {
    if (!batch || batch.tokens.length === MAX_TOKENS) {
      const tokens: TokenId[] = [];
      batch = { tokens, rows: findAll(tokens) };
    }
    const { tokens, rows } = batch;
    const place = tokens.push(token) - 1;
    const row = (await rows).get(place);
    return {
      user: row && row.id !== null ? { disabled: row.disabled_at !== null } : undefined,
      isRevoked: row !== undefined && row.revoked !== null,
      watermark: Number(row?.watermark ?? 0),
    };
  };
}

function select(tokens: TokenId[]) {
  const asked = tokens.map(
    (token, place) => sql`(${raw(String(place))}, CAST(${token.userId} AS INTEGER), CAST(${keyOf(token)} AS TEXT))`,
  );
  // The columns of VALUES have these names on both databases.
  return sql`SELECT asked.column1 AS place, known.id, known.disabled_at, revoked.key AS revoked, watermarks.exp AS watermark
    FROM (VALUES ${join(asked)}) AS asked
    LEFT JOIN users AS known ON known.id = asked.column2
    LEFT JOIN revoked_tokens AS revoked ON revoked.key = asked.column3
    LEFT JOIN session_watermarks AS watermarks ON watermarks.user_id = asked.column2`;
}
