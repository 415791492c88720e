import type { OneTimeTokens } from '../database/one-time-tokens.js';
import type { Users } from '../database/users.js';
import type { Waiter } from '../passwords/hash-queue.js';
import { type HashNewServices, hashNew } from './credentials.js';
import { findEnabledUser } from './find-user.js';
import { hashOf, type IssuedToken, issueOneTimeToken, TokenRefused } from './one-time-token.js';
import { setPassword } from './set-password.js';

const KIND = 'password_reset';
/** Seconds. */
const TTL = 60 * 60;

/**
 * Makes a token with which a user sets a new password.
 *
 * @param expiresIn - seconds
 * @throws UserNotFound, UserDisabled, DatabaseUnavailable
 */
export async function createPasswordReset(
  id: number,
  { users, oneTimeTokens }: { users: Pick<Users, 'find'>; oneTimeTokens: Pick<OneTimeTokens, 'store'> },
  expiresIn = TTL,
): Promise<IssuedToken> {
  await findEnabledUser(users, id);
  return issueOneTimeToken(oneTimeTokens, { kind: KIND, userId: id, expiresIn });
}

/**
 * Sets the password of the user whom a token is for, and returns the user's id. A refused password does not use the token.
 *
 * @param waiter - may leave the queue of hashes
 * @throws TokenRefused, CredentialsRefused, Overloaded, ClientGone, DatabaseUnavailable
 */
export async function resetPassword(
  { token, password }: { token: string; password: string },
  { users, oneTimeTokens }: { users: Pick<Users, 'update'>; oneTimeTokens: Pick<OneTimeTokens, 'find'> },
  services: HashNewServices,
  waiter: Waiter,
): Promise<number> {
  const found = await oneTimeTokens.find(hashOf(token), KIND, Date.now());
  if (!found) throw new TokenRefused();
  const digest = await hashNew({ email: found.email, password }, services, { waiter });
  // It ends all sessions, which voids the token.
  if (!(await setPassword(users, found, digest, { deadline: waiter.deadline }))) throw new TokenRefused();
  return found.userId;
}
