import fp from 'fastify-plugin';
import type { TokenLifetimes } from '../database/token-lifetimes.js';
import { repeat } from '../database/upkeep.js';

export type LifetimesOptions = {
  lifetimes: TokenLifetimes;
  ttlSeconds: number;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** Milliseconds. */
const EVERY = 60 * 60 * 1_000;

/**
 * Records the lifetime of the tokens that are issued, at the start and every hour: a token that outlives all of them was forged,
 * and a shorter lifetime, once configured, must not end earlier tokens.
 */
export const lifetimesPlugin = fp<LifetimesOptions>(
  async (app, { lifetimes, ttlSeconds, now }) => {
    // For two periods, so that one record may fail.
    const record = () => lifetimes.record(ttlSeconds, now() + 2 * EVERY);
    repeat(app, EVERY, 'the lifetime of tokens is not recorded', record);
    app.addHook('onReady', record);
  },
  { name: 'lifetimes' },
);
