import { isDeepStrictEqual } from 'node:util';
import { endSessionsQuery } from '../../../database/revocations.js';
import { MAX_ID, NO_PASSWORD, type StoredDigest } from '../../../database/users.js';
import { formatTimestamp } from '../../../text/timestamp.js';
import { type Row, readBoolean, readTime } from './check-row.js';
import type { Connection, Statements } from './connection.js';
import type { Rejection } from './source-record.js';
import { BATCH_SQL, type BatchSql } from './statements.js';

export type OnConflict = 'reject' | 'update';

export type WriteOptions = { onConflict: OnConflict; tokenTtlSeconds: number };

/** What became of a row. */
export type Outcome = 'added' | 'updated' | 'unchanged' | Rejection;

/** A user as stored, or as the batch will store it. The id is undefined until a new user gets one. */
type Entry = Pick<Row, 'id' | 'email'> &
  StoredDigest & {
    disabledAt: number | null;
    createdAt: number;
  };

/**
 * Stores a batch in one transaction, in the order of its rows. Other writers wait: concurrent imports, and the upgrade of
 * a digest at login.
 */
export function writeBatch(
  connection: Connection,
  rows: Row[],
  { onConflict, tokenTtlSeconds }: WriteOptions,
): Promise<Outcome[]> {
  const sql = BATCH_SQL[connection.provider];
  return connection.transaction(async (statements) => {
    await statements.execute(sql.lock);
    const batch = new Batch(await findEntries(statements, sql, rows));
    const outcomes = rows.map((row) => batch.add(row, onConflict));
    await batch.store(statements, sql);
    await endSessions(connection, statements, batch.idsOfEnded(), tokenTtlSeconds);
    return outcomes.map((outcome, i) => batch.refusalOf(rows[i]) ?? outcome);
  });
}

async function endSessions(
  { provider }: Connection,
  statements: Statements,
  ids: number[],
  lifetime: number,
): Promise<void> {
  if (ids.length === 0) return;
  const { sql, text, values } = endSessionsQuery(ids, lifetime, Date.now());
  await statements.execute(provider === 'sqlite' ? sql : text, ...values);
}

async function findEntries(statements: Statements, sql: BatchSql, rows: Row[]): Promise<Entry[]> {
  const ids = rows.flatMap(({ id }) => id ?? []);
  const emails = rows.map(({ email }) => email);
  const found = await statements.query(sql.find, JSON.stringify(ids), JSON.stringify(emails));
  return found.map(([id, email, passwordDigest, peppered, disabledAt, createdAt]) => ({
    id: Number(id),
    email: String(email),
    passwordDigest: String(passwordDigest),
    peppered: readBoolean(peppered),
    disabledAt: readTime(disabledAt) ?? null,
    createdAt: readTime(createdAt) ?? 0,
  }));
}

/** Decides what becomes of each row, given the users as the rows before it leave them. */
class Batch {
  readonly #byId = new Map<number, Entry>();
  readonly #byEmail = new Map<string, Entry>();
  readonly #rekeys: { oldId: number; entry: Entry }[] = [];
  readonly #updates = new Set<Entry>();
  readonly #inserts = new Set<Entry>();
  /** Ids of users whose sessions end: their digest or disabled_at changes, or their id. */
  readonly #ended = new Set<number>();
  readonly #now = Date.now();

  constructor(stored: Entry[]) {
    for (const entry of stored) this.#index(entry);
  }

  add(row: Row, onConflict: OnConflict): Outcome {
    const byId = row.id === undefined ? undefined : this.#byId.get(row.id);
    const byEmail = this.#byEmail.get(row.email);
    if (byId && byEmail && byId !== byEmail) return rejected(row, 'id and email belong to different users');
    const entry = byEmail ?? byId;
    const { id = entry?.id, email, createdAt = entry?.createdAt ?? this.#now } = row;
    const disabledAt = row.disabledAt === undefined ? (entry?.disabledAt ?? null) : row.disabledAt;
    const next = { id, email, ...digestOf(row, entry), disabledAt, createdAt };
    if (!entry) {
      this.#index(next);
      this.#inserts.add(next);
      return 'added';
    }
    const isSame = entry.id === id && entry.email === email;
    if (onConflict === 'reject') return isSame ? 'unchanged' : rejected(row, conflictOf(row, entry));
    if (isDeepStrictEqual(next, entry)) return 'unchanged';
    this.#update(entry, next, isSame);
    return 'updated';
  }

  async store(statements: Statements, sql: BatchSql): Promise<void> {
    for (const { oldId, entry } of this.#rekeys) await statements.execute(sql.rekey, this.#toJson([entry]), oldId);
    if (this.#updates.size > 0) await statements.execute(sql.update, this.#toJson(this.#updates));
    if (this.#inserts.size > 0) {
      await this.#assignIds(statements, sql);
      await statements.execute(sql.insert, this.#toJson(this.#inserts));
    }
    const ids = [...this.#inserts, ...this.#rekeys.map(({ entry }) => entry)].map(({ id = 0 }) => id);
    if (ids.length > 0 && sql.followId) await statements.execute(sql.followId(Math.max(...ids)));
  }

  idsOfEnded(): number[] {
    return [...this.#ended];
  }

  /** Of a new user for whom no id was left. */
  refusalOf(row: Row | undefined): Rejection | undefined {
    const entry = row && this.#byEmail.get(row.email);
    if (!entry || entry.id !== undefined) return undefined;
    return rejected(row, `no id is left: the largest is ${MAX_ID}`);
  }

  /** Not by the database, whose sequence would skip the ids of an import that fails. */
  async #assignIds(statements: Statements, sql: BatchSql): Promise<void> {
    const inserts = [...this.#inserts];
    const without = inserts.filter(({ id }) => id === undefined);
    if (without.length === 0) return;
    const [[last] = []] = await statements.query(sql.lastId);
    let largest = Math.max(Number(last), ...inserts.map(({ id = 0 }) => id));
    for (const entry of without) {
      if (largest >= MAX_ID) this.#inserts.delete(entry);
      else {
        largest += 1;
        entry.id = largest;
      }
    }
  }

  #index(entry: Entry): void {
    if (entry.id !== undefined) this.#byId.set(entry.id, entry);
    this.#byEmail.set(entry.email, entry);
  }

  #update(entry: Entry, next: Entry, isSame: boolean): void {
    const oldId = entry.id;
    if (oldId !== undefined) this.#byId.delete(oldId);
    this.#byEmail.delete(entry.email);
    const endsSessions = entry.passwordDigest !== next.passwordDigest || entry.disabledAt !== next.disabledAt;
    this.#index(Object.assign(entry, next));
    if (this.#inserts.has(entry)) return;
    if (endsSessions || oldId !== next.id) {
      for (const id of [oldId, next.id]) if (id !== undefined) this.#ended.add(id);
    }
    // A copy, stored in the order of the rows: a later one may take the email that an earlier one gives up.
    if (!isSame && oldId !== undefined) this.#rekeys.push({ oldId, entry: next });
    else this.#updates.add(entry);
  }

  #toJson(entries: Iterable<Entry>): string {
    const rows = Array.from(entries, ({ id, email, passwordDigest, peppered, disabledAt, createdAt }) => {
      const disabled = disabledAt === null ? null : formatTimestamp(disabledAt);
      return [id, email, passwordDigest, peppered, disabled, formatTimestamp(createdAt), formatTimestamp(this.#now)];
    });
    return JSON.stringify(rows);
  }
}

function digestOf({ passwordDigest, peppered }: Row, entry: Entry | undefined): StoredDigest {
  if (passwordDigest === undefined) {
    return { passwordDigest: entry?.passwordDigest ?? NO_PASSWORD, peppered: entry?.peppered ?? null };
  }
  if (peppered !== undefined) return { passwordDigest, peppered };
  // Not of another digest: what is stored may be the service's own, without a pepper.
  return { passwordDigest, peppered: entry?.passwordDigest === passwordDigest ? entry.peppered : null };
}

function rejected({ line, id, email }: Row, reason: string): Rejection {
  return { line, reason, id, email };
}

function conflictOf(row: Row, entry: Entry): string {
  if (entry.email !== row.email) return `id ${row.id} belongs to a user with another email`;
  return entry.id === undefined ? 'email belongs to an earlier row' : `email belongs to the user with id ${entry.id}`;
}
