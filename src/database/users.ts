import sql from 'sql-template-tag';
import type { PrismaClient } from '../generated/sqlite/client.js';
import { normalizeEmail } from '../text/email.js';
import { formatTimestamp } from '../text/timestamp.js';
import type { Queries } from './queries.js';

export type User = { id: number; passwordDigest: string; disabled: boolean };
export type UserRecord = Omit<User, 'disabled'> & {
  email: string;
  disabledAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
};

/** Which users: all that is given has to hold. */
export type UserFilter = {
  /** A part of the email, without regard to case. */
  email?: string;
  disabled?: boolean;
};

export type Users = {
  /** Finds a user by id, or by email, with all that is stored. */
  find(key: { id: number } | { email: string }): Promise<UserRecord | undefined>;
  /** Adds a user, and returns the id; undefined where the email is taken. */
  add(email: string, passwordDigest: string): Promise<number | undefined>;
  count(): Promise<number>;
  /** The users in the order of their ids, after the one given, at most so many. */
  list(page: { after: number; limit: number; filter?: UserFilter }): Promise<UserRecord[]>;
  /** Stores another digest if the user's is still the old one, and tells whether it was. */
  replacePasswordDigest(id: number, old: string, passwordDigest: string): Promise<boolean>;
  /** Changes a user, and tells whether there is one. */
  update(id: number, change: { passwordDigest: string } | { disabledAt: Date | null }): Promise<boolean>;
  /** Deletes a user, and tells whether there was one. */
  delete(id: number): Promise<boolean>;
};

/** The largest id that PostgreSQL holds in the column. */
export const MAX_ID = 2_147_483_647;

/** Prisma's code for a broken unique constraint. */
const UNIQUE_CONSTRAINT_FAILED = 'P2002';

/**
 * @param queries - for what is on the way of a login
 * @param openModel - gives Prisma's client; what only commands ask goes through it
 */
export function createUsers(
  { execute }: Pick<Queries, 'execute'>,
  openModel: () => Promise<PrismaClient['user']>,
): Users {
  return {
    async find(key) {
      const where = 'id' in key ? key : { email: normalizeEmail(key.email) };
      return (await (await openModel()).findUnique({ where })) ?? undefined;
    },
    async add(email, passwordDigest) {
      try {
        const data = { email: normalizeEmail(email), passwordDigest };
        const { id } = await (await openModel()).create({ data, select: { id: true } });
        return id;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === UNIQUE_CONSTRAINT_FAILED) return undefined;
        throw error;
      }
    },
    count: async () => (await openModel()).count(),
    async list({ after, limit, filter = {} }) {
      const part = normalizeEmail(filter.email ?? '');
      const users: UserRecord[] = [];
      for (let last = after; ; ) {
        const where = { ...whereOf(filter), id: { gt: last } };
        const page = await (await openModel()).findMany({ where, orderBy: { id: 'asc' }, take: limit });
        // To Prisma's `contains`, % and _ stand for any letters.
        users.push(...page.filter(({ email }) => email.includes(part)));
        last = page.at(-1)?.id ?? last;
        if (page.length < limit || users.length >= limit) return users.slice(0, limit);
      }
    },
    async replacePasswordDigest(id, old, passwordDigest) {
      const changed = await execute(sql`
        UPDATE users SET password_digest = ${passwordDigest}, updated_at = ${formatTimestamp(Date.now())}
        WHERE id = ${id} AND password_digest = ${old}`);
      return changed > 0;
    },
    async update(id, change) {
      return (await (await openModel()).updateMany({ where: { id }, data: change })).count > 0;
    },
    async delete(id) {
      return (await (await openModel()).deleteMany({ where: { id } })).count > 0;
    },
  };
}

function whereOf({ email, disabled }: UserFilter) {
  return {
    ...(email !== undefined && { email: { contains: normalizeEmail(email) } }),
    ...(disabled !== undefined && { disabledAt: disabled ? { not: null } : null }),
  };
}
