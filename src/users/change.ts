import type { StoredDigest, UserRecord, Users } from '../database/users.js';

type Store = Pick<Users, 'update'>;
type User = Pick<UserRecord, 'id'>;
type UserState = Pick<UserRecord, 'id' | 'disabledAt'>;

/** Unlocks the user too, forgets known addresses, and ends all sessions. */
export async function setPassword(users: Store, { id }: User, digest: StoredDigest, at = new Date()) {
  await users.update(id, { ...digest, passwordChangedAt: at, unlockedAt: at }, { endsSessions: true });
}

/** Ends all sessions too. Keeps the time at which a disabled user was disabled. */
export async function disable(users: Store, { id, disabledAt }: UserState, at = new Date()) {
  if (disabledAt === null) await users.update(id, { disabledAt: at }, { endsSessions: true });
}

export async function enable(users: Store, { id, disabledAt }: UserState) {
  if (disabledAt !== null) await users.update(id, { disabledAt: null });
}

/** Forgives the failed logins of a user. Those of an address stay counted. */
export async function unlock(users: Store, { id }: User, at = new Date()) {
  await users.update(id, { unlockedAt: at });
}
