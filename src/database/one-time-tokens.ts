import sql, { type Sql } from 'sql-template-tag';
import type { Client } from './connection/client.js';
import { undefinedIfTaken } from './connection/database-unavailable.js';
import type { RunQuery } from './connection/run-query.js';
import { Taken } from './users.js';

export type OneTimeTokenKind = 'password_reset' | 'email_confirmation';

/** A token that is good: it has not expired, and its user has the email and the epoch still that she had when it was made. */
export type GoodToken = {
  userId: number;
  /** The user's. */
  email: string;
  /** What the token confirms; the same as `email`, unless that is to change. */
  newEmail: string;
  sessionsEpoch: string;
};

/** All throw DatabaseUnavailable. Times are in milliseconds since the epoch. */
export type OneTimeTokens = {
  /** Replaces the user's earlier token of its kind. */
  store(token: {
    hash: string;
    kind: OneTimeTokenKind;
    userId: number;
    newEmail?: string;
    expiresAt: number;
  }): Promise<void>;
  find(hash: string, kind: OneTimeTokenKind, now: number): Promise<GoodToken | undefined>;
  /** Uses a token: sets the email, as confirmed. Returns whether the token was good still. Throws Taken; the token stays. */
  confirmEmail(hash: string, newEmail: string, now: number): Promise<boolean>;
  /** Removes some tokens that had expired by then, and returns how many. */
  removeExpired(before: number): Promise<number>;
};

type Row = { id: number | bigint; email: string; sessions_epoch: string; new_email: string | null };

/** Rows that one statement removes: meanwhile it holds SQLite's only lock, and the event loop. */
const ROWS_AT_A_TIME = 500;

export function createOneTimeTokens(runQuery: RunQuery): OneTimeTokens {
  const run = <T>(operation: string, query: (client: Client) => Promise<T>) =>
    runQuery({ operation, table: 'one_time_tokens' }, query);

  return {
    async store({ hash, kind, userId, newEmail, expiresAt }) {
      const insert = sql`INSERT INTO one_time_tokens
          (hash, kind, user_id, email, sessions_epoch, new_email, expires_at)
        SELECT ${hash}, ${kind}, id, email, sessions_epoch, ${newEmail ?? null}, ${BigInt(expiresAt)}
        FROM users WHERE id = ${userId}
        ON CONFLICT (user_id, kind) DO UPDATE SET hash = excluded.hash, email = excluded.email,
          sessions_epoch = excluded.sessions_epoch, new_email = excluded.new_email,
          expires_at = excluded.expires_at`;
      await run('INSERT', (client) => client.$executeRaw(insert));
    },
    async find(hash, kind, now) {
      const select = sql`SELECT users.id, users.email, users.sessions_epoch, new_email FROM one_time_tokens AS token, users
        WHERE ${isGood(hash, kind, now)}`;
      const [row] = await run('SELECT', (client) => client.$queryRaw<Row[]>(select));
      if (!row) return undefined;
      const { email, sessions_epoch: sessionsEpoch } = row;
      return { userId: Number(row.id), email, newEmail: row.new_email ?? email, sessionsEpoch };
    },
    async confirmEmail(hash, newEmail, now) {
      const at = new Date(now);
      const confirm = sql`UPDATE users
        SET email = ${newEmail}, email_confirmed_at = ${at}, version = version + 1, updated_at = ${at}
        WHERE id = (SELECT user_id FROM one_time_tokens WHERE hash = ${hash})
          AND EXISTS (SELECT 1 FROM one_time_tokens AS token WHERE ${isGood(hash, 'email_confirmation', now)})`;
      // A second use waits for the first one's lock, and finds no token.
      const counts = await run('UPDATE', (client) =>
        client
          .$transaction([
            client.$executeRaw`UPDATE one_time_tokens SET kind = kind WHERE hash = ${hash}`,
            client.$executeRaw(confirm),
            client.$executeRaw`DELETE FROM one_time_tokens WHERE hash = ${hash}`,
          ])
          .catch(undefinedIfTaken),
      );
      if (!counts) throw new Taken('email', newEmail);
      const [, confirmed = 0] = counts;
      return confirmed > 0;
    },
    async removeExpired(before) {
      const expired = { where: { expiresAt: { lt: before } }, limit: ROWS_AT_A_TIME };
      return (await run('DELETE', ({ oneTimeToken }) => oneTimeToken.deleteMany(expired))).count;
    },
  };
}

/** Of `token` and `users`. */
function isGood(hash: string, kind: OneTimeTokenKind, now: number): Sql {
  return sql`token.hash = ${hash} AND token.kind = ${kind} AND token.user_id = users.id AND token.email = users.email
    AND token.sessions_epoch = users.sessions_epoch AND users.disabled_at IS NULL AND token.expires_at > ${BigInt(now)}`;
}
