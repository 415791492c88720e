import { MAX_ID, type UserRecord, type Users } from '../database/users.js';
import { HttpError } from '../errors/http-error.js';
import { normalizeEmail } from '../text/email.js';
import { parseWholeNumber } from '../text/whole-number.js';

export type ListUsers = {
  email?: string | undefined;
  emailPrefix?: string | undefined;
  disabled?: boolean | undefined;
  /** The `next` of the page before. */
  after?: string | undefined;
  limit: number;
};

/**
 * Lists users by id, or by email where they are asked for by its beginning. All filters that are given must hold.
 *
 * @returns a page, and what the next one begins after; undefined where there is none
 * @throws HttpError where `after` is no `next` of this list
 */
export async function listUsers(
  users: Pick<Users, 'find' | 'list' | 'listByEmail'>,
  { email, emailPrefix, disabled, after, limit }: ListUsers,
): Promise<{ users: UserRecord[]; next: string | undefined }> {
  if (email !== undefined) {
    const user = await users.find({ email });
    const holds = user?.email.startsWith(normalizeEmail(emailPrefix ?? '')) && disabled !== (user.disabledAt === null);
    return { users: user && holds ? [user] : [], next: undefined };
  }
  if (emailPrefix !== undefined) {
    const page = await users.listByEmail({ prefix: emailPrefix, after: after ?? '', limit, disabled });
    return { users: page.users, next: page.next?.email };
  }
  const page = await users.list({ after: idAfter(after), limit, filter: { disabled } });
  return { users: page.users, next: page.next && String(page.next.id) };
}

function idAfter(after = '0'): number {
  const id = parseWholeNumber(after, 0, MAX_ID);
  if (id !== undefined) return id;
  throw new HttpError(422, '', {
    errors: [{ field: 'after', message: 'must be the next of a page', code: 'malformed' }],
  });
}
