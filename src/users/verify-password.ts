import type { Client } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import { hasPassword, type User } from '../database/users.js';
import type { Deadline } from '../errors/deadline.js';
import type { Passwords } from '../passwords/passwords.js';
import { normalizeEmail } from '../text/email.js';
import type { Throttle } from '../throttle/throttle.js';

export type VerifyPasswordServices = {
  database: Pick<Database, 'findForLogin' | 'ping'>;
  throttle: Pick<Throttle, 'begin'>;
  passwords: Pick<Passwords, 'verify'>;
};

export const VERIFY_OUTCOMES = ['succeeded', 'unknown_email', 'wrong_password', 'disabled'] as const;

type Verified =
  | { outcome: 'succeeded'; user: User }
  | { outcome: 'wrong_password' | 'disabled'; user: User }
  | { outcome: 'unknown_email'; user: undefined };

/**
 * Verifies the password of an email, and counts a failure. An unknown email, a wrong password, a user without a password and a
 * disabled one cost the same.
 *
 * @throws TooManyFailures, Overloaded, ClientGone, DatabaseUnavailable
 */
export async function verifyPassword(
  { email: given, password }: { email: string; password: string },
  client: Client,
  { database, throttle, passwords }: VerifyPasswordServices,
  deadline: Deadline,
): Promise<Verified> {
  const email = normalizeEmail(given);
  const attempt = throttle.begin(email, client.address);
  try {
    const [found] = await Promise.all([
      database.findForLogin({ email, counterKeys: attempt.counterKeys }, deadline),
      // A guess that can't be counted would be free.
      database.ping(deadline),
    ]);
    const admitted = await attempt.admit(found, deadline);
    const matches = await passwords.verify(password, found.digest, { ...client, deadline });
    const verified = verdictOf(found.user, matches);
    await (verified.outcome === 'succeeded' ? admitted.succeeded(deadline) : admitted.failed(deadline));
    return verified;
  } finally {
    attempt.end();
  }
}

function verdictOf(user: User | undefined, matches: boolean): Verified {
  if (!user) return { outcome: 'unknown_email', user };
  // For a user without a password, it is the digest of a stand-in that matches.
  if (!matches || !hasPassword(user)) return { outcome: 'wrong_password', user };
  return { outcome: user.disabled ? 'disabled' : 'succeeded', user };
}
