import type { Counter } from '#built/database/throttle-counters.js';
import type { Deadline } from '#built/errors/deadline.js';
import type { Throttle } from '#built/throttle/throttle.js';

type Found = { counters: Map<string, Counter>; unlockedAt: number; passwordChangedAt: number };

/**
 * Runs an attempt to log in as `logIn` does, with another way to find the user and to verify the password.
 *
 * @param verify - returns the outcome
 */
export async function attempt<Outcome extends string>(
  throttle: Throttle,
  { email, address, deadline }: { email: string; address: string; deadline: Deadline },
  find: (counterKeys: string[]) => Promise<Found>,
  verify: () => Promise<Outcome>,
): Promise<Outcome> {
  const attempt = throttle.begin(email, address);
  try {
    const admitted = await attempt.admit(await find(attempt.counterKeys), deadline);
    const outcome = await verify();
    await (outcome === 'succeeded' ? admitted.succeeded(deadline) : admitted.failed(deadline));
    return outcome;
  } finally {
    attempt.end();
  }
}
