import type { Revocations } from '../database/revocations.js';

/** Milliseconds. */
const EVERY = 60 * 60 * 1_000;
/** Milliseconds for which a revocation is kept after its tokens have expired: a clock may be set back. */
const KEPT_FOR = 24 * 60 * 60 * 1_000;

/** Removes revocations whose tokens have expired, every hour. */
export function expiredRevocationsTask(revocations: Pick<Revocations, 'removeExpired'>, now: () => number) {
  return {
    every: EVERY,
    failure: 'expired revocations are still there',
    async run(signal: AbortSignal) {
      while (!signal.aborted && (await revocations.removeExpired(now() - KEPT_FOR)) > 0);
    },
  };
}
