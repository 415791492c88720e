import fp from 'fastify-plugin';
import type { TokenLifetimes } from '../database/token-lifetimes.js';

export type LifetimesOptions = {
  lifetimes: TokenLifetimes;
  ttlSeconds: number;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** Milliseconds. */
const EVERY = 60 * 60 * 1_000;

/**
 * Records the lifetime of the tokens that are issued, at the start and every hour: a token that lives longer than any was
 * forged, and a shorter lifetime, once configured, must not end those of before.
 */
export const lifetimesPlugin = fp<LifetimesOptions>(
  async (app, { lifetimes, ttlSeconds, now }) => {
    // For two periods, so that one record may fail.
    const record = () => lifetimes.record(ttlSeconds, now() + 2 * EVERY);
    let recording = Promise.resolve();
    const timer = setInterval(() => {
      recording = record().catch((err) => app.log.warn({ err }, 'the lifetime of tokens is not recorded'));
    }, EVERY).unref();
    app.addHook('onReady', record);
    app.addHook('onClose', () => {
      clearInterval(timer);
      return recording;
    });
  },
  { name: 'lifetimes' },
);
