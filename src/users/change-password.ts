import type { Client } from '../contract/handler.js';
import { hasPassword, type Users } from '../database/users.js';
import { createDeadline } from '../errors/deadline.js';
import { HttpError } from '../errors/http-error.js';
import { Unauthorized } from '../sessions/authenticate.js';
import type { Grant, Sessions } from '../sessions/sessions.js';
import { type HashNewServices, hashNew } from './credentials.js';
import { setPassword } from './set-password.js';
import { type VerifyPasswordServices, verifyPassword } from './verify-password.js';

export type ChangePasswordServices = VerifyPasswordServices &
  HashNewServices & {
    users: Pick<Users, 'find' | 'update'>;
    sessions: Pick<Sessions, 'start' | 'isRenewed'>;
    /** Milliseconds from the end of the body to the reply, without the hashes. */
    loginTimeout: number;
  };

/** A user has no password to change: the application sends a link to set one. */
class NoPassword extends HttpError {
  constructor() {
    super(409, 'The user has no password', { code: 'no_password' });
  }
}

class WrongPassword extends HttpError {
  constructor() {
    const errors = [{ field: 'current_password', message: 'is wrong', code: 'wrong' }];
    super(403, 'The current password is wrong', { code: 'wrong_password', errors });
  }
}

/**
 * Sets a new password of a user who knows the current one; ends all sessions, and starts a new one. A wrong current password
 * counts as a failed login.
 *
 * @throws CredentialsRefused, NoPassword, WrongPassword, TooManyFailures, Overloaded, ClientGone, DatabaseUnavailable
 */
export async function changePassword(
  { userId, sid }: { userId: number; sid: string | undefined },
  { currentPassword, password }: { currentPassword: string; password: string },
  client: Client,
  services: ChangePasswordServices,
): Promise<Grant> {
  const { users, sessions } = services;
  const deadline = createDeadline(services.loginTimeout);
  const user = await users.find({ id: userId });
  if (!user) throw new Unauthorized('unknown_user', userId);
  if (!hasPassword(user)) throw new NoPassword();
  const { email } = user;
  const verified = await verifyPassword({ email, password: currentPassword }, client, services, deadline);
  if (verified.outcome !== 'succeeded' || verified.user.id !== userId) throw new WrongPassword();
  const remember = await sessions.isRenewed(sid);
  const digest = await hashNew({ email, password }, services, { waiter: { ...client, deadline } });
  const { sessionsEpoch } = verified.user;
  const changed = await setPassword(users, { userId, sessionsEpoch }, digest, { deadline });
  if (!changed) throw new Unauthorized('revoked_token', userId);
  // With a deadline of its own: the password has changed.
  return sessions.start(changed, client, { remember, deadline: createDeadline(services.loginTimeout) });
}
