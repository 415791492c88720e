import { setImmediate as nextTurn } from 'node:timers/promises';
import sql, { join, raw } from 'sql-template-tag';
import type { RunQuery } from './connection/run-query.js';
import { INITIAL_EPOCH } from './sessions.js';

/** What a token says about its caller. */
type TokenSubject = {
  userId: number;
  /** The session's id; tokens of the Rails API, and of earlier versions, have none. */
  sid: string | undefined;
};

export type FoundCaller = {
  /** Undefined where there is no such user. */
  user: { disabled: boolean } | undefined;
  /** Whether the session is active; without `sid`, whether the user's sessions have never been ended. */
  isSessionGood: boolean;
};

/**
 * Finds what decides whether a token is good. The tokens of requests that arrive in one turn of the event loop share a query:
 * it costs more than the rest of a request.
 *
 * @throws DatabaseUnavailable
 */
export type FindCaller = (token: TokenSubject) => Promise<FoundCaller>;

type Row = {
  /** Of the token in its query. */
  place: number | bigint;
  id: number | bigint | null;
  disabled_at: unknown;
  sessions_epoch: string | null;
  epoch: string | null;
};

/** Tokens that share a query. PostgreSQL prepares each number of them once. */
const MAX_TOKENS = 16;

export function createFindCaller(run: RunQuery): FindCaller {
  let batch: { tokens: TokenSubject[]; rows: Promise<Map<number, Row>> } | undefined;

  async function findAll(tokens: TokenSubject[]): Promise<Map<number, Row>> {
    await nextTurn();
    batch = undefined;
    const query = select(tokens);
    const rows = await run({ operation: 'SELECT', table: 'users' }, (client) => client.$queryRaw<Row[]>(query));
    return new Map(rows.map((row) => [Number(row.place), row]));
  }

  return async (token) => {
    if (!batch || batch.tokens.length === MAX_TOKENS) {
      const tokens: TokenSubject[] = [];
      batch = { tokens, rows: findAll(tokens) };
    }
    const { tokens, rows } = batch;
    const place = tokens.push(token) - 1;
    const row = (await rows).get(place);
    if (!row || row.id === null) return { user: undefined, isSessionGood: false };
    const epoch = token.sid === undefined ? INITIAL_EPOCH : row.epoch;
    return { user: { disabled: row.disabled_at !== null }, isSessionGood: row.sessions_epoch === epoch };
  };
}

function select(tokens: TokenSubject[]) {
  const asked = tokens.map(
    ({ userId, sid }, place) => sql`(${raw(String(place))}, CAST(${userId} AS INTEGER), CAST(${sid ?? null} AS TEXT))`,
  );
  // The columns of VALUES have these names on both databases.
  return sql`SELECT asked.column1 AS place, known.id, known.disabled_at, known.sessions_epoch, sessions.epoch
    FROM (VALUES ${join(asked)}) AS asked
    LEFT JOIN users AS known ON known.id = asked.column2
    LEFT JOIN sessions ON sessions.id = asked.column3 AND sessions.user_id = asked.column2`;
}
