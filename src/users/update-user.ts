import type { StoredDigest, UserChange, UserRecord, Users } from '../database/users.js';
import { HttpError } from '../errors/http-error.js';
import { normalizeEmail } from '../text/email.js';
import { findUser, UserNotFound } from './find-user.js';
import { passwordChange } from './set-password.js';

export type UserUpdate = {
  /** A new one is unconfirmed. */
  email?: string | undefined;
  /** Unlocks the user too, forgets known addresses, and ends all sessions. */
  digest?: StoredDigest | undefined;
  /** Disabling ends all sessions too. It keeps the time at which a disabled user was disabled. */
  disabled?: boolean | undefined;
  /** Forgives the failed logins of the user. Those of an address stay counted. */
  unlocked?: true;
};

/** The user has changed since the version that was to be changed. */
export class VersionConflict extends HttpError {
  constructor() {
    super(409, 'The user has changed', { code: 'version_conflict' });
  }
}

/**
 * Changes a user: all that is given, or nothing.
 *
 * @param version - the version to change; any unless given
 * @throws UserNotFound, VersionConflict, Taken, DatabaseUnavailable
 */
export async function updateUser(
  users: Pick<Users, 'find' | 'update'>,
  id: number,
  update: UserUpdate,
  { version, at = new Date() }: { version?: number | undefined; at?: Date } = {},
): Promise<UserRecord> {
  const user = await findUser(users, id);
  if (version !== undefined && version !== user.version) throw new VersionConflict();
  const change = changeOf(user, update, at);
  if (Object.keys(change).length === 0) return user;
  const endsSessions = change.passwordDigest !== undefined || change.disabledAt instanceof Date;
  const updated = await users.update(id, change, { endsSessions, ifVersion: version });
  if (updated) return updated;
  throw version === undefined ? new UserNotFound() : new VersionConflict();
}

/** Without what is so already. */
function changeOf(user: UserRecord, { email, digest, disabled, unlocked }: UserUpdate, at: Date): UserChange {
  return {
    ...(email !== undefined && normalizeEmail(email) !== user.email && { email, emailConfirmedAt: null }),
    ...(digest && passwordChange(digest, at)),
    ...(disabled === true && user.disabledAt === null && { disabledAt: at }),
    ...(disabled === false && user.disabledAt !== null && { disabledAt: null }),
    ...(unlocked && { unlockedAt: at }),
  };
}
