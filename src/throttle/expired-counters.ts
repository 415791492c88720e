import fp from 'fastify-plugin';
import type { ThrottleCounters } from '../database/throttle-counters.js';

export type ExpiredCountersOptions = {
  counters: ThrottleCounters;
  /** Milliseconds since the epoch. */
  now: () => number;
};

const EVERY = 10 * 60 * 1_000;

/** Removes expired counters, at the start and every ten minutes. */
export const expiredCountersPlugin = fp<ExpiredCountersOptions>(
  async (app, { counters, now }) => {
    const sweep = async () => {
      try {
        while ((await counters.removeExpired(now())) > 0);
      } catch (error) {
        app.log.warn({ err: error }, 'expired counters are still there');
      }
    };
    let sweeping = Promise.resolve();
    const timer = setInterval(() => (sweeping = sweep()), EVERY).unref();
    app.addHook('onReady', async () => {
      sweeping = sweep();
    });
    app.addHook('onClose', () => {
      clearInterval(timer);
      return sweeping;
    });
  },
  { name: 'expired-counters' },
);
