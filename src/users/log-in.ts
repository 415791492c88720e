import type { Client } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import { hasPassword, type User } from '../database/users.js';
import { createDeadline } from '../errors/deadline.js';
import type { PasswordUpgrades } from '../passwords/password-upgrades.js';
import type { Passwords } from '../passwords/passwords.js';
import type { Grant, Sessions } from '../sessions/sessions.js';
import { normalizeEmail } from '../text/email.js';
import type { Throttle } from '../throttle/throttle.js';

export type LogInServices = {
  database: Pick<Database, 'findForLogin' | 'ping'>;
  sessions: Pick<Sessions, 'start'>;
  throttle: Pick<Throttle, 'begin'>;
  passwords: Pick<Passwords, 'verify'>;
  passwordUpgrades: Pick<PasswordUpgrades, 'add'>;
  /** Milliseconds from the end of the body to the reply, without the hash. */
  loginTimeout: number;
};

export const LOGIN_OUTCOMES = ['succeeded', 'unknown_email', 'wrong_password', 'disabled'] as const;

type LoggedIn = {
  outcome: (typeof LOGIN_OUTCOMES)[number];
  userId: number | undefined;
  /** Of the session that has started; undefined where the login has failed. */
  grant?: Grant;
};

/**
 * Logs a user in. An unknown email, a wrong password, a user without a password and a disabled one cost the same.
 *
 * @throws TooManyFailures, Overloaded, ClientGone, DatabaseUnavailable
 */
export async function logIn(
  { email: given, password, remember }: { email: string; password: string; remember?: boolean },
  client: Client,
  services: LogInServices,
): Promise<LoggedIn> {
  const { database, sessions, throttle, passwords, passwordUpgrades, loginTimeout } = services;
  const deadline = createDeadline(loginTimeout);
  const email = normalizeEmail(given);
  const attempt = throttle.begin(email, client.address);
  try {
    const [found] = await Promise.all([
      database.findForLogin({ email, counterKeys: attempt.counterKeys }, deadline),
      // A guess that can't be counted would be free.
      database.ping(deadline),
    ]);
    await attempt.admit(found, deadline);
    const matches = await passwords.verify(password, found.digest, { ...client, deadline });
    const { outcome, user } = outcomeOf(found.user, matches);
    if (outcome !== 'succeeded') {
      await attempt.failed(deadline);
      return { outcome, userId: user?.id };
    }
    passwordUpgrades.add(user, password);
    await attempt.succeeded(deadline);
    return { outcome, userId: user.id, grant: await sessions.start(user, client, { remember, deadline }) };
  } finally {
    attempt.end();
  }
}

type Outcome =
  | { outcome: 'succeeded'; user: User }
  | { outcome: 'wrong_password' | 'disabled'; user: User }
  | { outcome: 'unknown_email'; user: undefined };

function outcomeOf(user: User | undefined, matches: boolean): Outcome {
  if (!user) return { outcome: 'unknown_email', user };
  // For a user without a password, it is the digest of a stand-in that matches.
  if (!matches || !hasPassword(user)) return { outcome: 'wrong_password', user };
  return { outcome: user.disabled ? 'disabled' : 'succeeded', user };
}
