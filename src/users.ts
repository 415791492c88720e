import type { PrismaClient } from './generated/sqlite/client.js';

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
  /**
   * Finds the user who logs in with an email, without regard to case and surrounding space. Where there is none, returns
   * the digest of the user who comes next in the order of emails, or of the first one: an unknown email then costs what it would cost if it
   * were known, also in a table with digests of many forms.
   */
  findForLogin(email: string): Promise<{ user: User | undefined; decoyDigest: string | undefined }>;
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

type LoginRow = { id: number; email: string; password_digest: string; disabled: unknown };

/** The largest id that PostgreSQL holds in the column. */
export const MAX_ID = 2_147_483_647;

/** Prisma's code for a broken unique constraint. */
const UNIQUE_CONSTRAINT_FAILED = 'P2002';

export function createUsers(client: PrismaClient): Users {
  return {
    async findForLogin(email) {
      const normalized = normalizeEmail(email);
      // Each login asks this, and in SQL it costs half of what it costs through the model.
      const firstFrom = (least: string) => client.$queryRaw<LoginRow[]>`
        SELECT id, email, password_digest, disabled_at IS NOT NULL AS disabled FROM users
        WHERE email >= ${least} ORDER BY email LIMIT 1`;
      const [row = (await firstFrom(''))[0]] = await firstFrom(normalized);
      if (row?.email !== normalized) return { user: undefined, decoyDigest: row?.password_digest };
      const user = { id: row.id, passwordDigest: row.password_digest, disabled: Boolean(row.disabled) };
      return { user, decoyDigest: undefined };
    },
    async find(key) {
      const where = 'id' in key ? key : { email: normalizeEmail(key.email) };
      return (await client.user.findUnique({ where })) ?? undefined;
    },
    async add(email, passwordDigest) {
      try {
        const data = { email: normalizeEmail(email), passwordDigest };
        const { id } = await client.user.create({ data, select: { id: true } });
        return id;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === UNIQUE_CONSTRAINT_FAILED) return undefined;
        throw error;
      }
    },
    count: () => client.user.count(),
    async list({ after, limit, filter = {} }) {
      const part = normalizeEmail(filter.email ?? '');
      const users: UserRecord[] = [];
      for (let last = after; ; ) {
        const where = { ...whereOf(filter), id: { gt: last } };
        const page = await client.user.findMany({ where, orderBy: { id: 'asc' }, take: limit });
        // To Prisma's `contains`, % and _ stand for any letters.
        users.push(...page.filter(({ email }) => email.includes(part)));
        last = page.at(-1)?.id ?? last;
        if (page.length < limit || users.length >= limit) return users.slice(0, limit);
      }
    },
    async replacePasswordDigest(id, old, passwordDigest) {
      const where = { id, passwordDigest: old };
      return (await client.user.updateMany({ where, data: { passwordDigest } })).count > 0;
    },
    async update(id, change) {
      return (await client.user.updateMany({ where: { id }, data: change })).count > 0;
    },
    async delete(id) {
      return (await client.user.deleteMany({ where: { id } })).count > 0;
    },
  };
}

function whereOf({ email, disabled }: UserFilter) {
  return {
    ...(email !== undefined && { email: { contains: normalizeEmail(email) } }),
    ...(disabled !== undefined && { disabledAt: disabled ? { not: null } : null }),
  };
}

/** Trimmed and in lower case: the form in which emails are stored and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}
