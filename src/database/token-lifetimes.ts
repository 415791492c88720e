import type { Deadline } from '../errors/deadline.js';
import type { RunQuery } from './connection/run-query.js';

/** All throw DatabaseUnavailable. */
export type TokenLifetimes = {
  /**
   * Records that tokens of a lifetime are issued.
   *
   * @param seconds - the lifetime
   * @param until - milliseconds since the epoch
   */
  record(seconds: number, until: number): Promise<void>;
  /**
   * The longest lifetime of tokens that may not have expired, in seconds; 0 where none is recorded.
   *
   * @param now - milliseconds since the epoch
   */
  longest(now: number, deadline?: Deadline): Promise<number>;
};

export function createTokenLifetimes(run: RunQuery): TokenLifetimes {
  return {
    async record(seconds, until) {
      const issuedUntil = BigInt(until);
      await run({ operation: 'UPSERT', table: 'token_lifetimes' }, ({ tokenLifetime }) =>
        tokenLifetime.upsert({
          where: { seconds },
          create: { seconds, issuedUntil },
          update: { issuedUntil },
        }),
      );
    },
    async longest(now, deadline) {
      const name = { operation: 'SELECT', table: 'token_lifetimes' };
      const rows = await run(name, ({ tokenLifetime }) => tokenLifetime.findMany(), deadline);
      const alive = rows.filter(({ seconds, issuedUntil }) => Number(issuedUntil) + 1_000 * seconds > now);
      return Math.max(0, ...alive.map(({ seconds }) => seconds));
    },
  };
}
