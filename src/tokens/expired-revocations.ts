import fp from 'fastify-plugin';
import type { Revocations } from '../database/revocations.js';
import { repeat } from '../database/upkeep.js';

export type ExpiredRevocationsOptions = {
  revocations: Pick<Revocations, 'removeExpired'>;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** Milliseconds. */
const EVERY = 60 * 60 * 1_000;
/** Milliseconds for which a revocation is kept after its tokens have expired: a clock may be set back. */
const KEPT_FOR = 24 * 60 * 60 * 1_000;

/** Removes revocations whose tokens have expired, at the start and every hour. */
export const expiredRevocationsPlugin = fp<ExpiredRevocationsOptions>(
  async (app, { revocations, now }) => {
    const sweep = repeat(app, EVERY, 'expired revocations are still there', async (signal) => {
      while (!signal.aborted && (await revocations.removeExpired(now() - KEPT_FOR)) > 0);
    });
    app.addHook('onReady', async () => sweep());
  },
  { name: 'expired-revocations' },
);
