import type { Task } from './upkeep.js';

/** Milliseconds. */
const EVERY = 10 * 60 * 1_000;

/**
 * Warns while a clock is wrong.
 *
 * @param clockWarning - undefined while it is right
 */
export function clockTask(clockWarning: () => Promise<string | undefined>, warn: (message: string) => void): Task {
  return {
    every: EVERY,
    failure: 'the clock of the database can’t be read',
    async run() {
      const warning = await clockWarning();
      if (warning) warn(warning);
    },
  };
}
