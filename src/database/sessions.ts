import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import sql, { join } from 'sql-template-tag';
import { type Deadline, within } from '../errors/deadline.js';
import type { Client } from './connection/client.js';
import type { RunQuery } from './connection/run-query.js';

/** What the refresh tokens of a session are made and judged by. */
export type Rotation = {
  /** Signs them. */
  key: string;
  /** SHA-256 of the secret in all of them. */
  hash: string;
  /** Of the newest one. */
  generation: number;
  /** Of the one that was exchanged for it. */
  parent: number;
};

/** Times are in milliseconds since the epoch. */
export type SessionRow = {
  /** A random UUID. */
  id: string;
  userId: number;
  /** The user's, as the login read it. */
  epoch: string;
  createdAt: number;
  /** The login, or the last renewal. */
  lastUsedAt: number;
  expiresAt: number;
  address: string;
  userAgent: string | undefined;
  /** Undefined where the session has no refresh tokens. */
  rotation: Rotation | undefined;
};

/** All throw DatabaseUnavailable. */
export type Sessions = {
  add(session: SessionRow, deadline?: Deadline): Promise<void>;
  /** Finds an active session: its epoch is the user's, who is not disabled. It may have expired. */
  find(id: string, deadline?: Deadline): Promise<SessionRow | undefined>;
  /** The active sessions of a user, the newest first. */
  list(userId: number, page: { now: number; limit: number }): Promise<SessionRow[]>;
  /** Stores a renewal if the newest generation is still `generation`; returns whether it was. */
  renew(session: SessionRow & { rotation: Rotation }, generation: number, deadline?: Deadline): Promise<boolean>;
  /** Returns whether the user had such a session. */
  end(userId: number, id: string): Promise<boolean>;
  /** Ends all sessions of a user. */
  endAll(userId: number): Promise<void>;
  /** Ends all sessions of the users whose ids are in a range; returns how many users there are. */
  endAllBetween(first: number, last: number): Promise<number>;
  /** Ends all sessions of a user but one; returns whether that one is active. */
  endOthers(userId: number, id: string): Promise<boolean>;
  /** Removes some sessions that had expired by then, and returns how many. */
  removeExpired(before: number): Promise<number>;
};

/** Milliseconds for which logins wait for each other, to share a commit: SQLite's holds the event loop. */
const SHARED_FOR = 2;
/** Rows that one statement removes: meanwhile it holds SQLite's only lock, and the event loop. */
const ROWS_AT_A_TIME = 500;

/** The epoch of users whose sessions have never been ended: see the models. */
export const INITIAL_EPOCH = '';

/** A new value of `users.sessions_epoch`: it ends all sessions. */
export function newEpoch(): string {
  return randomUUID();
}

/** @param tooLate - makes the error of a session that is not stored by its deadline */
export function createSessions(runQuery: RunQuery, tooLate: () => Error): Sessions {
  const run = <T>(operation: string, query: (client: Client) => Promise<T>, deadline?: Deadline) =>
    runQuery({ operation, table: 'sessions' }, query, deadline);
  let shared: { rows: SessionRow[]; inserted: Promise<unknown> } | undefined;
  async function insertShared(rows: SessionRow[]): Promise<void> {
    await wait(SHARED_FOR);
    shared = undefined;
    await run('INSERT', (client) => client.$executeRaw(insertQuery(rows)));
  }
  function share(session: SessionRow): Promise<unknown> {
    if (!shared) {
      const rows: SessionRow[] = [];
      shared = { rows, inserted: insertShared(rows) };
    }
    shared.rows.push(session);
    return shared.inserted;
  }

  /** Their rows stay until they expire: a user may have more than one statement should delete. */
  const endAllBetween = (first: number, last: number) =>
    run(
      'UPDATE',
      (client) =>
        client.$executeRaw`UPDATE users SET sessions_epoch = ${newEpoch()} WHERE id BETWEEN ${first} AND ${last}`,
    );

  return {
    async add(session, deadline) {
      await (deadline ? within(deadline, () => share(session), tooLate) : share(session));
    },
    async find(id, deadline) {
      const query = select(sql`sessions.id = ${id}`);
      const [row] = await run('SELECT', (client) => client.$queryRaw<Row[]>(query), deadline);
      return row && sessionIn(row);
    },
    async list(userId, { now, limit }) {
      const condition = sql`sessions.user_id = ${userId} AND expires_at > ${BigInt(now)}
        ORDER BY sessions.created_at DESC LIMIT ${limit}`;
      const rows = await run('SELECT', (client) => client.$queryRaw<Row[]>(select(condition)));
      return rows.map(sessionIn);
    },
    async renew({ id, lastUsedAt, expiresAt, rotation }, generation, deadline) {
      const newer = { generation: rotation.generation, parent: rotation.parent };
      const change = { where: { id, generation }, data: { lastUsedAt, expiresAt, ...newer } };
      return (await run('UPDATE', ({ session }) => session.updateMany(change), deadline)).count > 0;
    },
    async end(userId, id) {
      return (await run('DELETE', ({ session }) => session.deleteMany({ where: { id, userId } }))).count > 0;
    },
    async endAll(userId) {
      await endAllBetween(userId, userId);
    },
    endAllBetween,
    async endOthers(userId, id) {
      const epoch = newEpoch();
      const [, kept = 0] = await run('UPDATE', (client) =>
        client.$transaction([
          // Locks the row: on PostgreSQL the next statement then sees what another transaction has just ended.
          client.$executeRaw`UPDATE users SET sessions_epoch = sessions_epoch WHERE id = ${userId}`,
          client.$executeRaw`UPDATE sessions SET epoch = ${epoch} WHERE id = ${id} AND user_id = ${userId}
            AND epoch = (SELECT sessions_epoch FROM users WHERE id = ${userId})`,
          client.$executeRaw`UPDATE users SET sessions_epoch = ${epoch} WHERE id = ${userId}
            AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = ${id} AND sessions.epoch = ${epoch})`,
        ]),
      );
      return kept > 0;
    },
    async removeExpired(before) {
      const expired = { where: { expiresAt: { lt: before } }, limit: ROWS_AT_A_TIME };
      return (await run('DELETE', ({ session }) => session.deleteMany(expired))).count;
    },
  };
}

type Row = {
  id: string;
  user_id: number | bigint;
  epoch: string;
  created_at: number | bigint;
  last_used_at: number | bigint;
  expires_at: number | bigint;
  address: string;
  user_agent: string | null;
  refresh_key: string | null;
  refresh_hash: string | null;
  generation: number | bigint;
  parent: number | bigint;
};

function select(condition: ReturnType<typeof sql>) {
  return sql`SELECT sessions.id, user_id, epoch, sessions.created_at, last_used_at, expires_at, address, user_agent,
      refresh_key, refresh_hash, generation, parent
    FROM sessions JOIN users ON users.id = user_id AND sessions_epoch = epoch AND disabled_at IS NULL
    WHERE ${condition}`;
}

function insertQuery(rows: SessionRow[]) {
  const values = rows.map(
    ({ rotation, ...row }) =>
      sql`(${row.id}, ${row.userId}, ${row.epoch}, ${BigInt(row.createdAt)}, ${BigInt(row.lastUsedAt)},
        ${BigInt(row.expiresAt)}, ${row.address}, ${row.userAgent ?? null}, ${rotation?.key ?? null},
        ${rotation?.hash ?? null}, ${rotation?.generation ?? 0}, ${rotation?.parent ?? 0})`,
  );
  return sql`INSERT INTO sessions (id, user_id, epoch, created_at, last_used_at, expires_at, address, user_agent,
      refresh_key, refresh_hash, generation, parent)
    VALUES ${join(values)}`;
}

function sessionIn(row: Row): SessionRow {
  const { refresh_key: key, refresh_hash: hash } = row;
  return {
    id: row.id,
    userId: Number(row.user_id),
    epoch: row.epoch,
    createdAt: Number(row.created_at),
    lastUsedAt: Number(row.last_used_at),
    expiresAt: Number(row.expires_at),
    address: row.address,
    userAgent: row.user_agent ?? undefined,
    rotation:
      key === null || hash === null
        ? undefined
        : {
            key,
            hash,
            generation: Number(row.generation),
            parent: Number(row.parent),
          },
  };
}
