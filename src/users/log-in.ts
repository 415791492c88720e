import type { Client } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import type { Revocations } from '../database/revocations.js';
import type { TokenLifetimes } from '../database/token-lifetimes.js';
import { hasPassword } from '../database/users.js';
import { createDeadline } from '../errors/deadline.js';
import { Overloaded } from '../errors/overloaded.js';
import type { HashQueue } from '../passwords/hash-queue.js';
import type { PasswordUpgrades } from '../passwords/password-upgrades.js';
import type { Passwords } from '../passwords/passwords.js';
import type { Throttle } from '../throttle/throttle.js';
import type { Tokens } from '../tokens/tokens.js';
import { MAX_EXCESS, outlives } from './outlives.js';

export type LogInServices = {
  database: Pick<Database, 'findForLogin'> & {
    revocations: Pick<Revocations, 'firstFreeExp'>;
    tokenLifetimes: Pick<TokenLifetimes, 'longest'>;
  };
  tokens: Pick<Tokens, 'nextExp' | 'ttlSeconds'>;
  throttle: Throttle;
  hashQueue: HashQueue;
  passwords: Pick<Passwords, 'verify' | 'memoryOf'>;
  passwordUpgrades: Pick<PasswordUpgrades, 'add'>;
  /** Milliseconds from its arrival within which a login is answered, without its hash. */
  loginTimeout: number;
};

/** Seconds by which a token's expiry steps over those that have ended. The other half is left for clocks that differ. */
const MAX_STEPS = MAX_EXCESS / 2;

export const LOGIN_OUTCOMES = ['succeeded', 'unknown_email', 'wrong_password', 'disabled'] as const;

type LoggedIn =
  | {
      outcome: 'succeeded';
      userId: number;
      /** When the token has to expire, in seconds since the epoch. */
      exp: number;
    }
  | { outcome: Exclude<(typeof LOGIN_OUTCOMES)[number], 'succeeded'>; userId: number | undefined };

/**
 * Logs a user in. An unknown email, a wrong password, a user without a password and a disabled one cost the same.
 *
 * @throws TooManyFailures, Overloaded, ClientGone, DatabaseUnavailable
 */
export function logIn(
  { email, password }: { email: string; password: string },
  client: Client,
  { database, tokens, throttle, hashQueue, passwords, passwordUpgrades, loginTimeout }: LogInServices,
): Promise<LoggedIn> {
  const deadline = createDeadline(loginTimeout);
  // Taken before the hash: sessions that are ended during the hash are those up to a later time.
  let exp = 0;
  let startedAt = 0;
  return throttle.attempt(
    { email, address: client.address, deadline },
    (counterKeys, now) => {
      exp = tokens.nextExp();
      startedAt = now;
      return database.findForLogin({ email, counterKeys, exp }, now, deadline);
    },
    async ({ user, digest, watermark, isRevoked }) => {
      const verify = () => passwords.verify(password, digest);
      const matches = await hashQueue.run(verify, { ...client, deadline }, passwords.memoryOf(digest));
      if (!user) return { outcome: 'unknown_email', userId: undefined };
      // Who has no password is verified against a stand-in's digest, which may match.
      if (!matches || !hasPassword(user)) return { outcome: 'wrong_password', userId: user.id };
      if (user.disabled) return { outcome: 'disabled', userId: user.id };
      passwordUpgrades.add(user, password);
      const afterAllEnded = Math.max(exp, watermark + 1);
      if (!isRevoked && afterAllEnded === exp) return { outcome: 'succeeded', userId: user.id, exp };
      const free = await database.revocations.firstFreeExp(user.id, afterAllEnded, deadline);
      // With more log-outs than seconds, tokens would soon outlive those that are accepted: the next login has to wait.
      const issued = { ttlSeconds: tokens.ttlSeconds, now: startedAt, lifetimes: database.tokenLifetimes };
      if (await outlives(free, MAX_STEPS, issued, deadline)) throw new Overloaded();
      return { outcome: 'succeeded', userId: user.id, exp: free };
    },
  );
}
