import type { Sessions } from '../database/sessions.js';

/** Milliseconds. */
const EVERY = 60 * 60 * 1_000;
/** Milliseconds for which an expired session is kept: the clocks of instances differ. */
const KEPT_FOR = 60 * 60 * 1_000;

/** Removes expired sessions, every hour. */
export function expiredSessionsTask(sessions: Pick<Sessions, 'removeExpired'>, now: () => number) {
  return {
    every: EVERY,
    failure: 'expired sessions are still there',
    async run(signal: AbortSignal) {
      while (!signal.aborted && (await sessions.removeExpired(now() - KEPT_FOR)) > 0);
    },
  };
}
