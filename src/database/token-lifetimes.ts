import type { RunQuery } from './run-query.js';

export type TokenLifetimes = {
  /**
   * Records that tokens of a lifetime are issued.
   *
   * @param seconds - the lifetime
   * @param until - milliseconds since the epoch
   */
  record(seconds: number, until: number): Promise<void>;
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
  };
}
