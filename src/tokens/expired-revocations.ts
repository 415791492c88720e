import fp from 'fastify-plugin';
import type { Revocations } from '../database/revocations.js';

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
    const sweep = async () => {
      try {
        while ((await revocations.removeExpired(now() - KEPT_FOR)) > 0);
      } catch (err) {
        app.log.warn({ err }, 'expired revocations are still there');
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
  { name: 'expired-revocations' },
);
