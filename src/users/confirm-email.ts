import type { OneTimeTokens } from '../database/one-time-tokens.js';
import { Taken, type Users } from '../database/users.js';
import { normalizeEmail } from '../text/email.js';
import { findEnabledUser } from './find-user.js';
import { hashOf, type IssuedToken, issueOneTimeToken, TokenRefused } from './one-time-token.js';

const KIND = 'email_confirmation';
/** Seconds. */
const TTL = 24 * 60 * 60;

/**
 * Makes a token with which a user confirms an email.
 *
 * @param options.email - a new one; the user's unless given
 * @param options.expiresIn - seconds
 * @throws UserNotFound, UserDisabled, Taken, DatabaseUnavailable
 */
export async function createEmailConfirmation(
  id: number,
  { users, oneTimeTokens }: { users: Pick<Users, 'find'>; oneTimeTokens: Pick<OneTimeTokens, 'store'> },
  { email, expiresIn = TTL }: { email?: string | undefined; expiresIn?: number | undefined },
): Promise<IssuedToken> {
  const user = await findEnabledUser(users, id);
  const newEmail = normalizeEmail(email ?? user.email);
  if (newEmail !== user.email && (await users.find({ email: newEmail }))) throw new Taken('email', newEmail);
  return issueOneTimeToken(oneTimeTokens, { kind: KIND, userId: id, newEmail, expiresIn });
}

/**
 * Confirms the email of a token, which becomes the user's, and returns the user's id.
 *
 * @throws TokenRefused, Taken, DatabaseUnavailable
 */
export async function confirmEmail(
  token: string,
  oneTimeTokens: Pick<OneTimeTokens, 'find' | 'confirmEmail'>,
): Promise<number> {
  const hash = hashOf(token);
  const found = await oneTimeTokens.find(hash, KIND, Date.now());
  if (!found || !(await oneTimeTokens.confirmEmail(hash, found.newEmail, Date.now()))) throw new TokenRefused();
  return found.userId;
}
