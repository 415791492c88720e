import type { TokenLifetimes } from '../database/token-lifetimes.js';

/** Milliseconds. */
const EVERY = 60 * 60 * 1_000;

/**
 * Records the lifetime of the tokens that are issued, every hour: a token that outlives all of them was forged, and a shorter
 * lifetime, once configured, must not end earlier tokens.
 */
export function lifetimesTask(lifetimes: Pick<TokenLifetimes, 'record'>, ttlSeconds: number, now: () => number) {
  return {
    every: EVERY,
    failure: 'the lifetime of tokens is not recorded',
    isRequired: true,
    // For two periods, so that one record may fail.
    run: () => lifetimes.record(ttlSeconds, now() + 2 * EVERY),
  };
}
