import sql, { empty, join, raw, type Sql } from 'sql-template-tag';
import type { Deadline } from '../errors/deadline.js';
import { EXIT } from '../errors/exit-codes.js';
import { HttpError } from '../errors/http-error.js';
import { normalizeEmail } from '../text/email.js';
import type { Client } from './connection/client.js';
import { undefinedIfTaken } from './connection/database-unavailable.js';
import type { Provider } from './connection/database-url.js';
import type { RunQuery } from './connection/run-query.js';
import { newEpoch } from './sessions.js';

export type StoredDigest = {
  passwordDigest: string;
  /** Whether bcrypt read a pepper too; null where it did if one is configured. */
  peppered: boolean | null;
  /** The name of that pepper; null where it is not known. */
  pepper: string | null;
};
/** The digest of a user who has no password. Django's for this begin with it; no format matches it, in earlier versions either. */
export const NO_PASSWORD = '!';
export const NO_DIGEST: StoredDigest = { passwordDigest: NO_PASSWORD, peppered: null, pepper: null };

export function hasPassword({ passwordDigest }: Pick<StoredDigest, 'passwordDigest'>): boolean {
  return passwordDigest !== NO_PASSWORD;
}

/** What a login reads of a user. */
export type User = StoredDigest & {
  id: number;
  disabled: boolean;
  /** Sessions of another epoch have ended. */
  sessionsEpoch: string;
  /** Milliseconds since the epoch; 0 where there was none. */
  lastLoginAt: number;
};
export type UserRecord = StoredDigest & {
  id: number;
  email: string;
  /** Rises with each change, but not with a login. */
  version: number;
  /** Null where nobody has set it since the user was added. */
  passwordChangedAt: Date | null;
  disabledAt: Date | null;
  emailConfirmedAt: Date | null;
  /** To the hour. */
  lastLoginAt: Date | null;
  sessionsEpoch: string;
  createdAt: Date;
  updatedAt: Date;
};

/** What may be given beside the email and the digest. */
export type NewUser = Partial<Pick<UserRecord, 'id' | 'disabledAt' | 'emailConfirmedAt'>>;

export type UserChange = Partial<
  Pick<
    UserRecord,
    'email' | 'passwordDigest' | 'peppered' | 'pepper' | 'passwordChangedAt' | 'disabledAt' | 'emailConfirmedAt'
  >
> & { unlockedAt?: Date };

export type UpdateOptions = {
  endsSessions?: boolean;
  /** Nothing changes where the user has another one meanwhile. */
  ifVersion?: number | undefined;
  ifEpoch?: string | undefined;
  deadline?: Deadline;
};

/** All conditions that are given must hold. */
export type UserFilter = {
  /** A part of the email, without regard to case. */
  email?: string;
  disabled?: boolean | undefined;
};

/** Another user has the email, or the id. */
export class Taken extends HttpError {
  override readonly exitCode = EXIT.DATAERR;

  constructor(field: 'email' | 'id', value: string | number) {
    const errors = [{ field, message: 'is taken', code: 'taken' }];
    super(409, `The ${field} is taken`, { code: `${field}_taken`, errors, message: `${field} is taken: ${value}` });
  }
}

/** SQLite draws ids above all that were ever stored, and a user was given one of the largest. */
export class NoIdLeft extends HttpError {
  constructor() {
    super(409, `No id is left: the largest is ${MAX_ID}`, { code: 'no_id_left' });
  }
}

export type UserPage = {
  users: UserRecord[];
  /** The last one of the page, where there are more. */
  next: { id: number; email: string } | undefined;
};

export type Users = {
  find(key: { id: number } | { email: string }): Promise<UserRecord | undefined>;
  /** Throws Taken, and NoIdLeft. */
  add(email: string, digest: StoredDigest, rest?: NewUser): Promise<UserRecord>;
  count(): Promise<number>;
  /** In the order of ids, after one of them. */
  list(page: { after: number; limit: number; filter?: UserFilter }): Promise<UserPage>;
  /** Those whose email begins with `prefix`, in the order of emails, after one of them. */
  listByEmail(page: {
    prefix: string;
    after: string;
    limit: number;
    disabled?: boolean | undefined;
  }): Promise<UserPage>;
  /** Stores another digest if the user's is still the old one; returns whether it was. For upgrades: no change of the user. */
  replacePasswordDigest(id: number, old: string, digest: StoredDigest): Promise<boolean>;
  /** Undefined where there is no such user, or a condition does not hold. Throws Taken. */
  update(id: number, change: UserChange, options?: UpdateOptions): Promise<UserRecord | undefined>;
  /** Notes that users have logged in. No change of theirs. */
  noteLogins(ids: number[], at: Date): Promise<void>;
  /** Ends all sessions of the user too. Returns whether there was such a user. */
  delete(id: number): Promise<boolean>;
};

/** Of PostgreSQL's integer. */
export const MAX_ID = 2_147_483_647;

/** Draws ids until one belongs to no user: ids that were chosen are not known to PostgreSQL's sequence. */
const DRAW_FREE_ID = raw(`WITH RECURSIVE drawn(id) AS (
    SELECT nextval(pg_get_serial_sequence('users', 'id'))
    UNION ALL SELECT nextval(pg_get_serial_sequence('users', 'id')) FROM drawn
      WHERE EXISTS (SELECT 1 FROM users WHERE users.id = drawn.id)
  ) SELECT max(id) AS id FROM drawn`);

/** The columns of a UserRecord. */
const select = {
  id: true,
  email: true,
  passwordDigest: true,
  peppered: true,
  pepper: true,
  version: true,
  passwordChangedAt: true,
  disabledAt: true,
  emailConfirmedAt: true,
  lastLoginAt: true,
  sessionsEpoch: true,
  createdAt: true,
  updatedAt: true,
};

export function createUsers(runQuery: RunQuery, provider: Provider): Users {
  // PostgreSQL's index by a prefix is in the order of bytes, as SQLite's unique index is.
  const byBytes = provider === 'postgresql' ? raw('left(email, 254) COLLATE "C"') : raw('email');
  const run = <T>(
    operation: string,
    query: (model: Client['user'], client: Client) => Promise<T>,
    deadline?: Deadline,
  ) => runQuery({ operation, table: 'users' }, (client) => query(client.user, client), deadline);

  async function find(key: { id: number } | { email: string }): Promise<UserRecord | undefined> {
    const where = 'id' in key ? key : { email: normalizeEmail(key.email) };
    return (await run('SELECT', (model) => model.findUnique({ where, select }))) ?? undefined;
  }

  async function drawFreeId(): Promise<number> {
    const [row] = await run('SELECT', (_model, client) => client.$queryRaw<{ id: bigint }[]>(DRAW_FREE_ID));
    return Number(row?.id);
  }

  /**
   * Reads a page. Its ids come by an index, which Prisma's filters would miss. Whether there are more is told by them, for a user
   * may be deleted between the two queries.
   */
  async function readPage(limit: number, condition: Sql): Promise<UserPage> {
    const query = sql`SELECT id, email FROM users WHERE ${condition} LIMIT ${limit + 1}`;
    const rows = await run('SELECT', (_model, client) =>
      client.$queryRaw<{ id: number | bigint; email: string }[]>(query),
    );
    const keys = rows.slice(0, limit).map(({ id, email }) => ({ id: Number(id), email }));
    const users = await run('SELECT', (model) =>
      model.findMany({ where: { id: { in: keys.map(({ id }) => id) } }, select }),
    );
    const byId = new Map(users.map((user) => [user.id, user]));
    return { users: keys.flatMap(({ id }) => byId.get(id) ?? []), next: rows.length > limit ? keys.at(-1) : undefined };
  }

  return {
    find,
    async add(email, digest, rest = {}) {
      const data = { email: normalizeEmail(email), ...digest, ...rest, sessionsEpoch: newEpoch() };
      for (;;) {
        const user = await run('INSERT', (model) => model.create({ data, select }).catch(undefinedIfTaken));
        if (user && user.id <= MAX_ID) return user;
        if (user) {
          // SQLite's ids go on. PostgreSQL could not take the user over, nor a model query the id.
          await run('DELETE', (model) => model.deleteMany({ where: { email: data.email } }));
          throw new NoIdLeft();
        }
        if (await find({ email })) throw new Taken('email', data.email);
        if (rest.id !== undefined) throw new Taken('id', rest.id);
        if (provider === 'postgresql') data.id = await drawFreeId();
      }
    },
    count: () => run('SELECT', (model) => model.count()),
    async list({ after, limit, filter: { email, disabled } = {} }) {
      if (email === undefined && !disabled) {
        // By the primary key: one query, since `users stats` and `export` read all users.
        const where = { id: { gt: after }, ...(disabled === false && { disabledAt: null }) };
        const found = await run('SELECT', (model) =>
          model.findMany({ where, select, orderBy: { id: 'asc' }, take: limit + 1 }),
        );
        const users = found.slice(0, limit);
        return { users, next: found.length > limit ? users.at(-1) : undefined };
      }
      const part =
        email === undefined ? empty : sql`AND email LIKE ${`%${escapeLike(normalizeEmail(email))}%`} ESCAPE '~'`;
      return readPage(limit, sql`id > ${after} ${part} ${isDisabled(disabled)} ORDER BY id`);
    },
    listByEmail({ prefix, after, limit, disabled }) {
      const [first, end] = [normalizeEmail(prefix), endOfPrefix(normalizeEmail(prefix))];
      const before = end === undefined ? empty : sql`AND ${byBytes} < ${end}`;
      const condition = sql`${byBytes} >= ${first} ${before} AND ${byBytes} > ${after} ${isDisabled(disabled)}`;
      return readPage(limit, sql`${condition} ORDER BY ${byBytes}`);
    },
    async replacePasswordDigest(id, old, { passwordDigest, peppered, pepper }) {
      const replace = sql`UPDATE users SET password_digest = ${passwordDigest}, peppered = ${peppered}, pepper = ${pepper}
        WHERE id = ${id} AND password_digest = ${old}`;
      return (await run('UPDATE', (_model, client) => client.$executeRaw(replace))) > 0;
    },
    async update(id, change, { endsSessions, ifVersion, ifEpoch, deadline } = {}) {
      const where = {
        id,
        ...(ifVersion !== undefined && { version: ifVersion }),
        ...(ifEpoch !== undefined && { sessionsEpoch: ifEpoch }),
      };
      const email = change.email === undefined ? undefined : normalizeEmail(change.email);
      const data = {
        ...change,
        ...(email !== undefined && { email }),
        ...(endsSessions && { sessionsEpoch: newEpoch() }),
        version: { increment: 1 },
      };
      const updated = await run(
        'UPDATE',
        (model) => model.updateManyAndReturn({ where, data, select }).catch(undefinedIfTaken),
        deadline,
      );
      if (!updated) throw new Taken('email', email ?? '');
      return updated[0];
    },
    async noteLogins(ids, at) {
      // PostgreSQL: not in the order of another statement that locks some of them, and a note that is skipped costs nothing.
      const locked = provider === 'postgresql' ? sql`ORDER BY id FOR UPDATE SKIP LOCKED` : empty;
      const note = sql`UPDATE users SET last_login_at = ${at}
        WHERE id IN (SELECT id FROM users WHERE id IN (${join(ids)}) ${locked})`;
      await run('UPDATE', (_model, client) => client.$executeRaw(note));
    },
    async delete(id) {
      return (await run('DELETE', (model) => model.deleteMany({ where: { id } }))).count > 0;
    },
  };
}

/** The first condition is that of the index, the second one that of the rows in it. */
function isDisabled(disabled: boolean | undefined): Sql {
  if (disabled === undefined) return empty;
  return disabled
    ? sql`AND (disabled_at IS NOT NULL) = true AND disabled_at IS NOT NULL`
    : sql`AND disabled_at IS NULL`;
}

function escapeLike(text: string): string {
  return text.replaceAll(/[~%_]/g, '~$&');
}

/** The first text, in the order of code points, after all that begin with a prefix; undefined where there is none. */
function endOfPrefix(prefix: string): string | undefined {
  const characters = [...prefix];
  const last = characters.pop()?.codePointAt(0);
  if (last === undefined) return undefined;
  if (last === 0x10ffff) return endOfPrefix(characters.join(''));
  // Surrogates are no characters.
  return characters.join('') + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
}
