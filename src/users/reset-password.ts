import type { OneTimeTokens } from '../database/one-time-tokens.js';
import type { Users } from '../database/users.js';
import type { Waiter } from '../passwords/hash-queue.js';
import { type HashNewServices, hashNew } from './credentials.js';
import { findUser } from './find-user.js';
import { hashOf, type IssuedToken, issueOneTimeToken, TokenRefused } from './one-time-token.js';
import { UserDisabled } from './user-disabled.js';

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
  const user = await findUser(users, id);
  if (user.disabledAt) throw new UserDisabled();
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
  oneTimeTokens: Pick<OneTimeTokens, 'find' | 'resetPassword'>,
  services: HashNewServices,
  waiter: Waiter,
): Promise<number> {
  const hash = hashOf(token);
  const found = await oneTimeTokens.find(hash, KIND, Date.now());
  if (!found) throw new TokenRefused();
  const digest = await hashNew({ email: found.email, password }, services, { waiter });
  if (!(await oneTimeTokens.resetPassword(hash, digest, Date.now()))) throw new TokenRefused();
  return found.userId;
}
