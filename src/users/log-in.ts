import type { Client } from '../contract/handler.js';
import { createDeadline } from '../errors/deadline.js';
import type { PasswordUpgrades } from '../passwords/password-upgrades.js';
import type { Grant, Sessions } from '../sessions/sessions.js';
import type { LastLogins } from './last-logins.js';
import { type VERIFY_OUTCOMES, type VerifyPasswordServices, verifyPassword } from './verify-password.js';

export type LogInServices = VerifyPasswordServices & {
  sessions: Pick<Sessions, 'start'>;
  passwordUpgrades: Pick<PasswordUpgrades, 'add'>;
  lastLogins: Pick<LastLogins, 'add'>;
  /** Milliseconds from the end of the body to the reply, without the hash. */
  loginTimeout: number;
};

type LoggedIn = {
  outcome: (typeof VERIFY_OUTCOMES)[number];
  userId: number | undefined;
  /** Of the session that has started; undefined where the login has failed. */
  grant?: Grant;
};

/**
 * Logs a user in.
 *
 * @throws TooManyFailures, Overloaded, ClientGone, DatabaseUnavailable
 */
export async function logIn(
  { remember, ...credentials }: { email: string; password: string; remember?: boolean },
  client: Client,
  services: LogInServices,
): Promise<LoggedIn> {
  const deadline = createDeadline(services.loginTimeout);
  const { outcome, user } = await verifyPassword(credentials, client, services, deadline);
  if (outcome !== 'succeeded') return { outcome, userId: user?.id };
  services.passwordUpgrades.add(user, credentials.password);
  const grant = await services.sessions.start(user, client, { remember, deadline });
  services.lastLogins.add(user);
  return { outcome, userId: user.id, grant };
}
