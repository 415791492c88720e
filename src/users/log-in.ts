import type { Client } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import type { FoundForLogin } from '../database/find-for-login.js';
import type { Revocations } from '../database/revocations.js';
import type { TokenLifetimes } from '../database/token-lifetimes.js';
import { hasPassword, type User } from '../database/users.js';
import { createDeadline, type Deadline } from '../errors/deadline.js';
import { Overloaded } from '../errors/overloaded.js';
import type { PasswordUpgrades } from '../passwords/password-upgrades.js';
import type { Passwords } from '../passwords/passwords.js';
import { normalizeEmail } from '../text/email.js';
import type { Throttle } from '../throttle/throttle.js';
import type { Tokens } from '../tokens/tokens.js';
import { MAX_EXCESS, outlives } from './outlives.js';

export type LogInServices = {
  database: Pick<Database, 'findForLogin' | 'ping'> & {
    revocations: Pick<Revocations, 'firstFreeExp'>;
    tokenLifetimes: Pick<TokenLifetimes, 'longest'>;
  };
  tokens: Pick<Tokens, 'nextExp' | 'ttlSeconds'>;
  throttle: Pick<Throttle, 'begin'>;
  passwords: Pick<Passwords, 'verify'>;
  passwordUpgrades: Pick<PasswordUpgrades, 'add'>;
  /** Milliseconds from the end of the body to the reply, without the hash. */
  loginTimeout: number;
};

/** Seconds that a token may expire later, to step over ended tokens. The other half is for clocks that differ. */
const MAX_STEPS = MAX_EXCESS / 2;

export const LOGIN_OUTCOMES = ['succeeded', 'unknown_email', 'wrong_password', 'disabled'] as const;

type LoggedIn =
  | {
      outcome: 'succeeded';
      userId: number;
      /** When the token must expire, in seconds since the epoch. */
      exp: number;
    }
  | { outcome: Exclude<(typeof LOGIN_OUTCOMES)[number], 'succeeded'>; userId: number | undefined };

/**
 * Logs a user in. An unknown email, a wrong password, a user without a password and a disabled one cost the same.
 *
 * @throws TooManyFailures, Overloaded, ClientGone, DatabaseUnavailable
 */
export async function logIn(
  { email: given, password }: { email: string; password: string },
  client: Client,
  services: LogInServices,
): Promise<LoggedIn> {
  const { database, tokens, throttle, passwords, passwordUpgrades, loginTimeout } = services;
  const deadline = createDeadline(loginTimeout);
  const email = normalizeEmail(given);
  const attempt = throttle.begin(email, client.address);
  try {
    // Before the hash: whatever ends all sessions during the hash then ends this one too.
    const exp = tokens.nextExp();
    const [found] = await Promise.all([
      database.findForLogin({ email, counterKeys: attempt.counterKeys, exp }, deadline),
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
    return { outcome, userId: user.id, exp: await freeExp(user.id, exp, found, services, deadline) };
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

/** When the token must expire: later than the user's ended tokens. */
async function freeExp(
  userId: number,
  exp: number,
  { watermark, isRevoked }: FoundForLogin,
  { database, tokens }: LogInServices,
  deadline: Deadline,
): Promise<number> {
  const afterAllEnded = Math.max(exp, watermark + 1);
  if (!isRevoked && afterAllEnded === exp) return exp;
  const free = await database.revocations.firstFreeExp(userId, afterAllEnded, deadline);
  // After more log-outs than seconds, the token would live too long to be accepted: the login must wait.
  const { ttlSeconds } = tokens;
  const issued = { ttlSeconds, now: 1_000 * (exp - ttlSeconds), lifetimes: database.tokenLifetimes };
  if (await outlives(free, MAX_STEPS, issued, deadline)) throw new Overloaded();
  return free;
}
