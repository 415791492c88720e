import type { StoredDigest, UpdateOptions, UserChange, UserRecord, Users } from '../database/users.js';

/** What a new password changes: it also unlocks the user, and forgets known addresses. */
export function passwordChange(digest: StoredDigest, at: Date): UserChange {
  return { ...digest, passwordChangedAt: at, unlockedAt: at };
}

/**
 * Sets a password whose user was judged by an epoch, and ends all sessions. So of several at once one succeeds.
 *
 * @returns undefined where all sessions have ended since, by another new password too
 * @throws DatabaseUnavailable
 */
export function setPassword(
  users: Pick<Users, 'update'>,
  { userId, sessionsEpoch }: { userId: number; sessionsEpoch: string },
  digest: StoredDigest,
  options: Pick<UpdateOptions, 'deadline'> = {},
): Promise<UserRecord | undefined> {
  const change = passwordChange(digest, new Date());
  return users.update(userId, change, { ...options, endsSessions: true, ifEpoch: sessionsEpoch });
}
