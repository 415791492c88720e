import { isDeepStrictEqual } from 'node:util';
import { INITIAL_EPOCH, newEpoch } from '../sessions.js';
import { MAX_ID, NO_DIGEST, type StoredDigest } from '../users.js';

/** A user of a file. An undefined value keeps what is stored, or is the default for a new user, who then has no password. */
export type ImportedUser = {
  id: number | undefined;
  email: string;
  /** Milliseconds since the epoch; null where the email is not confirmed. */
  emailConfirmedAt: number | null | undefined;
  passwordDigest: string | undefined;
  /** Null where the digest has the pepper that is configured, if any. */
  peppered: boolean | null | undefined;
  /** Milliseconds since the epoch; null where the user is not disabled. */
  disabledAt: number | null | undefined;
  createdAt: number | undefined;
};

export type OnConflict = 'reject' | 'update';

/** What becomes of a row. */
export type Outcome = 'added' | 'updated' | 'unchanged' | { refusal: string };

/** Of a new user who has not got one yet. */
const NEW = 0;

/** A user as stored, or as a row leaves it. */
export type Entry = Readonly<
  StoredDigest & {
    id: number;
    email: string;
    emailConfirmedAt: number | null;
    disabledAt: number | null;
    createdAt: number;
    /** A new one ends the user's sessions. */
    sessionsEpoch: string;
  }
>;

/** What a batch does, in this order. */
export type Plan = {
  /** In the order of the rows: a later one may take the email that an earlier one gives up. */
  rekeys: { oldId: number; id: number; email: string }[];
  updates: Entry[];
  inserts: Entry[];
  /** For the next batch: an id that a user gave up is not new. */
  firstNewId: number;
  /** Of the rows. */
  outcomes: Outcome[];
};

/** A row replaces `next`. */
type User = { readonly stored: Entry | undefined; next: Entry };

/**
 * Decides what becomes of each row, given the users as the rows before it leave them.
 *
 * @param found - the stored users with an id or an email of the rows
 * @param options.lastId - the largest id ever assigned
 * @param options.firstNewId - smaller ids may have belonged to others: their tokens without `sid` are not accepted
 * @param options.now - milliseconds since the epoch
 */
export function planImport(
  found: Entry[],
  rows: ImportedUser[],
  options: { onConflict: OnConflict; lastId: number; firstNewId: number; now: number },
): Plan {
  const { onConflict, lastId, now } = options;
  let { firstNewId } = options;
  const users = indexUsers(found);
  const rekeys: Plan['rekeys'] = [];

  function plan(row: ImportedUser): Outcome {
    const byId = users.byId.get(row.id ?? NEW);
    const user = users.byEmail.get(row.email) ?? byId;
    if (byId && user !== byId) return { refusal: 'id and email belong to different users' };
    const entry = user?.next;
    const next = entryAfter(row, entry, { firstNewId, now });
    if (!user || !entry) {
      users.add({ stored: undefined, next });
      return 'added';
    }
    const isSame = entry.id === next.id && entry.email === next.email;
    if (onConflict === 'reject') return isSame ? 'unchanged' : { refusal: conflictOf(row, entry) };
    if (isDeepStrictEqual(next, entry)) return 'unchanged';
    users.replace(user, next);
    if (user.stored && !isSame) rekeys.push({ oldId: entry.id, id: next.id, email: next.email });
    if (entry.id !== next.id) firstNewId = Math.max(firstNewId, entry.id + 1);
    return 'updated';
  }

  const planned = rows.map((row) => ({ row, outcome: plan(row) }));
  assignIds(users.all, lastId);
  const isLeftOut = ({ email }: ImportedUser) => users.byEmail.get(email)?.next.id === NEW;
  const added = users.all.filter(({ stored, next }) => !stored && next.id !== NEW);
  const changed = users.all.filter(({ stored, next }) => stored && next !== stored);
  return {
    rekeys,
    updates: changed.map(({ next }) => next),
    inserts: added.map(({ next }) => next),
    firstNewId,
    outcomes: planned.map(({ row, outcome }) => (isLeftOut(row) ? NO_ID_LEFT : outcome)),
  };
}

/** The users as the rows so far leave them. */
function indexUsers(found: Entry[]) {
  const all: User[] = [];
  const byId = new Map<number, User>();
  const byEmail = new Map<string, User>();

  function index(user: User): void {
    if (user.next.id !== NEW) byId.set(user.next.id, user);
    byEmail.set(user.next.email, user);
  }

  function add(user: User): void {
    all.push(user);
    index(user);
  }

  function replace(user: User, next: Entry): void {
    byId.delete(user.next.id);
    byEmail.delete(user.next.email);
    user.next = next;
    index(user);
  }

  for (const stored of found) add({ stored, next: stored });
  return { all, byId, byEmail, add, replace };
}

/** Not by the database, whose sequence would skip the ids of an import that fails. Without one where none is left. */
function assignIds(users: User[], lastId: number): void {
  let last = Math.max(lastId, ...users.map(({ next }) => next.id));
  for (const user of users) {
    if (user.next.id !== NEW || last >= MAX_ID) continue;
    last += 1;
    user.next = { ...user.next, id: last };
  }
}

const NO_ID_LEFT = { refusal: `no id is left: the largest is ${MAX_ID}` };

function entryAfter(
  row: ImportedUser,
  entry: Entry | undefined,
  { firstNewId, now }: { firstNewId: number; now: number },
): Entry {
  const confirmedAt = entry?.email === row.email ? entry.emailConfirmedAt : null;
  const next = {
    id: row.id ?? entry?.id ?? NEW,
    email: row.email,
    emailConfirmedAt: row.emailConfirmedAt === undefined ? confirmedAt : row.emailConfirmedAt,
    ...digestAfter(row, entry),
    disabledAt: row.disabledAt === undefined ? (entry?.disabledAt ?? null) : row.disabledAt,
    createdAt: row.createdAt ?? entry?.createdAt ?? now,
  };
  if (entry) return { ...next, sessionsEpoch: endsSessions(entry, next) ? newEpoch() : entry.sessionsEpoch };
  return { ...next, sessionsEpoch: next.id >= firstNewId ? INITIAL_EPOCH : newEpoch() };
}

function digestAfter(row: ImportedUser, entry: StoredDigest = NO_DIGEST): StoredDigest {
  const { passwordDigest = entry.passwordDigest } = row;
  // Not of another digest: what is stored may be the service's own, without a pepper.
  const kept = passwordDigest === entry.passwordDigest ? entry : NO_DIGEST;
  const peppered = row.passwordDigest === undefined || row.peppered === undefined ? kept.peppered : row.peppered;
  return { passwordDigest, peppered, pepper: peppered === kept.peppered ? kept.pepper : null };
}

function endsSessions(entry: Entry, next: Omit<Entry, 'sessionsEpoch'>): boolean {
  return entry.id !== next.id || entry.passwordDigest !== next.passwordDigest || entry.disabledAt !== next.disabledAt;
}

function conflictOf(row: ImportedUser, { id, email }: Entry): string {
  if (email !== row.email) return `id ${row.id} belongs to a user with another email`;
  return id === NEW ? 'email belongs to an earlier row' : `email belongs to the user with id ${id}`;
}
