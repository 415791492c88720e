import { ExpectedError } from '../errors/expected-error.js';
import { normalizeEmail } from '../text/email.js';
import type { Client } from './connection/client.js';
import type { RunQuery } from './connection/run-query.js';
import { newEpoch } from './sessions.js';

export type StoredDigest = {
  passwordDigest: string;
  /** Whether bcrypt read the pepper too; null where it did if one is configured. */
  peppered: boolean | null;
};
/** The digest of a user who has no password. Django's for this begin with it; no format matches it, in earlier versions either. */
export const NO_PASSWORD = '!';

export function hasPassword({ passwordDigest }: Pick<StoredDigest, 'passwordDigest'>): boolean {
  return passwordDigest !== NO_PASSWORD;
}

/** What a login reads of a user. */
export type User = StoredDigest & {
  id: number;
  disabled: boolean;
  /** Sessions of another epoch have ended. */
  sessionsEpoch: string;
};
export type UserRecord = StoredDigest & {
  id: number;
  email: string;
  /** By a command; null where it never was. */
  passwordChangedAt: Date | null;
  disabledAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
};

export type UserChange = Partial<Omit<UserRecord, 'id' | 'email'> & { unlockedAt: Date }>;

/** All conditions that are given must hold. */
export type UserFilter = {
  /** A part of the email, without regard to case. */
  email?: string;
  disabled?: boolean;
};

export type Users = {
  find(key: { id: number } | { email: string }): Promise<UserRecord | undefined>;
  /** Returns the id; undefined where the email is taken. Throws ExpectedError where no id is left. */
  add(email: string, digest: StoredDigest): Promise<number | undefined>;
  count(): Promise<number>;
  /** In the order of ids, after one of them. */
  list(page: { after: number; limit: number; filter?: UserFilter }): Promise<UserRecord[]>;
  /** Stores another digest if the user's is still the old one; returns whether it was. */
  replacePasswordDigest(id: number, old: string, digest: StoredDigest): Promise<boolean>;
  /** Returns whether there is such a user. */
  update(id: number, change: UserChange, options?: { endsSessions: boolean }): Promise<boolean>;
  /** Ends all sessions of the user too. Returns whether there was such a user. */
  delete(id: number): Promise<boolean>;
};

/** Of PostgreSQL's integer. */
export const MAX_ID = 2_147_483_647;

/** Prisma's code for a broken unique constraint. */
const UNIQUE_CONSTRAINT_FAILED = 'P2002';

/** The columns of a UserRecord. */
const select = {
  id: true,
  email: true,
  passwordDigest: true,
  peppered: true,
  passwordChangedAt: true,
  disabledAt: true,
  createdAt: true,
  updatedAt: true,
};

export function createUsers(runQuery: RunQuery): Users {
  const run = <T>(operation: string, query: (model: Client['user']) => Promise<T>) =>
    runQuery({ operation, table: 'users' }, ({ user }) => query(user));

  return {
    async find(key) {
      const where = 'id' in key ? key : { email: normalizeEmail(key.email) };
      return (await run('SELECT', (model) => model.findUnique({ where, select }))) ?? undefined;
    },
    async add(email, digest) {
      const data = { email: normalizeEmail(email), ...digest, sessionsEpoch: newEpoch() };
      const id = await run('INSERT', (model) =>
        model.create({ data, select: { id: true } }).then((user) => user.id, undefinedIfTaken),
      );
      if (id === undefined || id <= MAX_ID) return id;
      // SQLite's ids go on. PostgreSQL could not take the user over, nor a model query the id.
      await run('DELETE', (model) => model.deleteMany({ where: { email: data.email } }));
      throw new ExpectedError(`no id is left: the largest is ${MAX_ID}`);
    },
    count: () => run('SELECT', (model) => model.count()),
    async list({ after, limit, filter = {} }) {
      const part = normalizeEmail(filter.email ?? '');
      const users: UserRecord[] = [];
      for (let last = after; ; ) {
        const where = { ...whereOf(filter), id: { gt: last } };
        const page = await run('SELECT', (model) =>
          model.findMany({ where, select, orderBy: { id: 'asc' }, take: limit }),
        );
        // Prisma's `contains` takes % and _ for wildcards, and is left out where it would miss some.
        users.push(...page.filter(({ email }) => email.includes(part)));
        last = page.at(-1)?.id ?? last;
        if (page.length < limit || users.length >= limit) return users.slice(0, limit);
      }
    },
    async replacePasswordDigest(id, old, data) {
      const where = { id, passwordDigest: old };
      return (await run('UPDATE', (model) => model.updateMany({ where, data }))).count > 0;
    },
    async update(id, change, { endsSessions } = { endsSessions: false }) {
      const data = { ...change, ...(endsSessions && { sessionsEpoch: newEpoch() }) };
      return (await run('UPDATE', (model) => model.updateMany({ where: { id }, data }))).count > 0;
    },
    async delete(id) {
      return (await run('DELETE', (model) => model.deleteMany({ where: { id } }))).count > 0;
    },
  };
}

function undefinedIfTaken(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === UNIQUE_CONSTRAINT_FAILED) return undefined;
  throw error;
}

function whereOf({ email, disabled }: UserFilter) {
  return {
    // PostgreSQL would take a backslash for an escape.
    ...(email !== undefined && !email.includes('\\') && { email: { contains: normalizeEmail(email) } }),
    ...(disabled !== undefined && { disabledAt: disabled ? { not: null } : null }),
  };
}
