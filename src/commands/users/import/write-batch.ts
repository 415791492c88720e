import { MAX_ID } from '../../../database/users.js';
import { ExpectedError } from '../../../errors/expected-error.js';
import { formatTimestamp } from '../../../text/timestamp.js';
import { type Row, readTime } from './check-row.js';
import type { Connection, Statements } from './connection.js';
import type { Rejection } from './read-records.js';
import { BATCH_SQL, type BatchSql } from './statements.js';

export type OnConflict = 'reject' | 'update';

export type BatchResult = { added: number; updated: number; unchanged: number; rejections: Rejection[] };

/** A row without an id asks for one, and there is none. */
class IdsExhausted extends ExpectedError {}

/** A user as stored, or as the batch will store it. */
type Entry = {
  /** Undefined where the row has none: the user is given one when the batch is stored. */
  id: number | undefined;
  email: string;
  passwordDigest: string;
  disabledAt: number | null;
  createdAt: number;
  isStored: boolean;
};

/** What a batch has to do, in this order. */
type Changes = { rekeys: { oldId: number; entry: Entry }[]; updates: Set<Entry>; inserts: Set<Entry> };

/**
 * Stores a batch as a whole, in the order of its rows. No other writer is let in meanwhile, so what is decided holds: two
 * imports at once take turns, and a login's upgrade waits.
 */
export function writeBatch(connection: Connection, rows: Row[], onConflict: OnConflict): Promise<BatchResult> {
  const sql = BATCH_SQL[connection.provider];
  return connection.transaction(async (statements) => {
    await statements.execute(sql.lock);
    const known = await findEntries(statements, sql, rows);
    const changes: Changes = { rekeys: [], updates: new Set(), inserts: new Set() };
    const result: BatchResult = { added: 0, updated: 0, unchanged: 0, rejections: [] };
    const now = Date.now();
    for (const row of rows) {
      const outcome = decide(row, known, changes, onConflict, now);
      if (typeof outcome === 'string') result[outcome] += 1;
      else result.rejections.push(outcome);
    }
    await apply(statements, sql, changes, now);
    return result;
  });
}

class Entries {
  readonly #byId = new Map<number, Entry>();
  readonly #byEmail = new Map<string, Entry>();

  find({ id, email }: Row): { byId: Entry | undefined; byEmail: Entry | undefined } {
    return { byId: id === undefined ? undefined : this.#byId.get(id), byEmail: this.#byEmail.get(email) };
  }

  add(entry: Entry): void {
    if (entry.id !== undefined) this.#byId.set(entry.id, entry);
    this.#byEmail.set(entry.email, entry);
  }

  delete({ id, email }: Entry): void {
    if (id !== undefined) this.#byId.delete(id);
    this.#byEmail.delete(email);
  }
}

async function findEntries(statements: Statements, sql: BatchSql, rows: Row[]): Promise<Entries> {
  const ids = rows.flatMap(({ id }) => id ?? []);
  const emails = rows.map(({ email }) => email);
  const entries = new Entries();
  for (const found of await statements.query(sql.find, JSON.stringify(ids), JSON.stringify(emails))) {
    const [id, email, passwordDigest, disabledAt, createdAt] = found;
    entries.add({
      id: Number(id),
      email: String(email),
      passwordDigest: String(passwordDigest),
      disabledAt: readTime(disabledAt) ?? null,
      createdAt: readTime(createdAt) ?? 0,
      isStored: true,
    });
  }
  return entries;
}

/** Tells what becomes of a row, given the users as the rows before it leave them. */
function decide(
  row: Row,
  known: Entries,
  changes: Changes,
  onConflict: OnConflict,
  now: number,
): 'added' | 'updated' | 'unchanged' | Rejection {
  const { byId, byEmail } = known.find(row);
  const entry = byEmail ?? byId;
  if (!entry) {
    const { id, email, passwordDigest, disabledAt = null, createdAt = now } = row;
    const added = { id, email, passwordDigest, disabledAt, createdAt, isStored: false };
    known.add(added);
    changes.inserts.add(added);
    return 'added';
  }
  if (byId && byEmail && byId !== byEmail) {
    return rejected(row, `id ${row.id} is one user’s, and the email another’s`);
  }
  const isSame = entry.email === row.email && (row.id === undefined || row.id === entry.id);
  if (!isSame && onConflict === 'reject') return rejected(row, conflictOf(row, entry));
  if (onConflict === 'reject' || (isSame && !differs(row, entry))) return 'unchanged';
  update(row, entry, known, changes, isSame);
  return 'updated';
}

function rejected({ line, id, email }: Row, reason: string): Rejection {
  return { line, reason, ...(id !== undefined && { id }), email };
}

function conflictOf(row: Row, entry: Entry): string {
  if (entry.email !== row.email) return `id ${row.id} is a user’s with another email`;
  return entry.id === undefined ? 'email is that of an earlier row' : `email is that of the user with id ${entry.id}`;
}

function differs(row: Row, entry: Entry): boolean {
  return (
    row.passwordDigest !== entry.passwordDigest ||
    (row.disabledAt !== undefined && row.disabledAt !== entry.disabledAt) ||
    (row.createdAt !== undefined && row.createdAt !== entry.createdAt)
  );
}

function update(row: Row, entry: Entry, known: Entries, changes: Changes, isSame: boolean): void {
  const oldId = entry.id;
  known.delete(entry);
  entry.id = row.id ?? entry.id;
  entry.email = row.email;
  entry.passwordDigest = row.passwordDigest;
  if (row.disabledAt !== undefined) entry.disabledAt = row.disabledAt;
  if (row.createdAt !== undefined) entry.createdAt = row.createdAt;
  known.add(entry);
  if (!entry.isStored) return;
  // One after the other, as they stand now: a later one may take the email that an earlier one gives up.
  if (!isSame && oldId !== undefined) changes.rekeys.push({ oldId, entry: { ...entry } });
  else changes.updates.add(entry);
}

async function apply(
  statements: Statements,
  sql: BatchSql,
  { rekeys, updates, inserts }: Changes,
  now: number,
): Promise<void> {
  for (const { oldId, entry } of rekeys) {
    await statements.execute(sql.rekey, JSON.stringify([fieldsOf(entry, now)]), oldId);
  }
  if (updates.size > 0) await statements.execute(sql.update, toJson(updates, now));
  if (inserts.size > 0) {
    await giveIds(statements, sql, [...inserts]);
    await statements.execute(sql.insert, toJson(inserts, now));
  }
  const given = [...inserts, ...rekeys.map(({ entry }) => entry)].map(({ id = 0 }) => id);
  if (given.length > 0 && sql.followId) await statements.query(sql.followId, Math.max(...given));
}

/** Ids are given here, not by the database, so that an import that is broken off leaves no gap in them. */
async function giveIds(statements: Statements, sql: BatchSql, inserts: Entry[]): Promise<void> {
  const without = inserts.filter(({ id }) => id === undefined);
  if (without.length === 0) return;
  const [[last] = []] = await statements.query(sql.lastId);
  let next = Math.max(Number(last), ...inserts.map(({ id = 0 }) => id));
  if (next + without.length > MAX_ID) throw new IdsExhausted(`no id is left: the largest is ${MAX_ID}`);
  for (const entry of without) {
    next += 1;
    entry.id = next;
  }
}

function toJson(entries: Set<Entry>, now: number): string {
  return JSON.stringify([...entries].map((entry) => fieldsOf(entry, now)));
}

function fieldsOf({ id, email, passwordDigest, disabledAt, createdAt }: Entry, now: number) {
  const disabled = disabledAt === null ? null : formatTimestamp(disabledAt);
  return [id, email, passwordDigest, disabled, formatTimestamp(createdAt), formatTimestamp(now)];
}
