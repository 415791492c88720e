import type { Client } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import { createDeadline } from '../errors/deadline.js';
import type { HashQueue } from '../passwords/hash-queue.js';
import type { PasswordUpgrades } from '../passwords/password-upgrades.js';
import type { Passwords } from '../passwords/passwords.js';
import type { Throttle } from '../throttle/throttle.js';

export type LogInServices = {
  database: Pick<Database, 'findForLogin'>;
  throttle: Throttle;
  hashQueue: HashQueue;
  passwords: Pick<Passwords, 'verify' | 'memoryOf'>;
  passwordUpgrades: Pick<PasswordUpgrades, 'add'>;
  /** Milliseconds from its arrival within which a login is answered, without its hash. */
  loginTimeout: number;
};

export const LOGIN_OUTCOMES = ['succeeded', 'unknown_email', 'wrong_password', 'disabled'] as const;

type LoggedIn =
  | { outcome: 'succeeded'; userId: number }
  | { outcome: Exclude<(typeof LOGIN_OUTCOMES)[number], 'succeeded'>; userId: number | undefined };

/**
 * Logs a user in. An unknown email, a wrong password and a disabled user cost the same.
 *
 * @throws TooManyFailures, Overloaded, ClientGone, DatabaseUnavailable
 */
export function logIn(
  { email, password }: { email: string; password: string },
  client: Client,
  { database, throttle, hashQueue, passwords, passwordUpgrades, loginTimeout }: LogInServices,
): Promise<LoggedIn> {
  const deadline = createDeadline(loginTimeout);
  return throttle.attempt(
    { email, address: client.address, deadline },
    (counterKeys, now) => database.findForLogin(email, counterKeys, now, deadline),
    async ({ user, digest }) => {
      const verify = () => passwords.verify(password, digest);
      const matches = await hashQueue.run(verify, { ...client, deadline }, passwords.memoryOf(digest));
      if (!user) return { outcome: 'unknown_email', userId: undefined };
      if (!matches) return { outcome: 'wrong_password', userId: user.id };
      if (user.disabled) return { outcome: 'disabled', userId: user.id };
      passwordUpgrades.add(user, password);
      return { outcome: 'succeeded', userId: user.id };
    },
  );
}
