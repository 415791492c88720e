import type { TokenLifetimes } from '../database/token-lifetimes.js';
import type { Deadline } from '../errors/deadline.js';

/** Seconds beyond the longest lifetime that a token may have: clocks differ, and logins step over tokens that have ended. */
export const MAX_EXCESS = 3_600;

/**
 * Whether a token outlives, by more than `excess`, all that this service issues. The database knows the longest lifetime that
 * any instance has issued.
 *
 * @param exp - the token's, in seconds since the epoch
 * @param excess - seconds
 * @param options.ttlSeconds - the lifetime of tokens that are issued here
 * @param options.now - milliseconds since the epoch
 * @throws DatabaseUnavailable
 */
export async function outlives(
  exp: number,
  excess: number,
  { ttlSeconds, now, lifetimes }: { ttlSeconds: number; now: number; lifetimes: Pick<TokenLifetimes, 'longest'> },
  deadline?: Deadline,
): Promise<boolean> {
  const isBeyond = (lifetime: number) => exp > now / 1000 + lifetime + excess;
  return isBeyond(ttlSeconds) && isBeyond(await lifetimes.longest(now, deadline));
}
