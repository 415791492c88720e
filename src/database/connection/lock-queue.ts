import { type Deadline, within } from '../../errors/deadline.js';

/** Queries that wait for SQLite's lock while another process has it. */
export type LockQueue = {
  /**
   * Resolves when it is a query's turn to try again.
   *
   * @param busy - the error of its last try, thrown at the deadline
   */
  wait(busy: Error, deadline: Deadline): Promise<void>;
  /** Gives the next query its turn at once: one that has waited has got the lock. */
  proceed(): void;
};

/** Milliseconds between turns. */
const RETRY_EVERY = 10;

/**
 * One query at a time tries again, the one that has waited longest: hundreds that all retry would take the event loop, and
 * SQLite's own busy timeout would block it.
 */
export function createLockQueue(): LockQueue {
  const waiting = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;

  function wakeNext(): void {
    const [next] = waiting;
    next?.();
  }

  function enter(turn: () => void): void {
    waiting.add(turn);
    timer ??= setInterval(wakeNext, RETRY_EVERY);
  }

  function leave(turn: () => void): void {
    waiting.delete(turn);
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    async wait(busy, deadline) {
      let turn = () => {};
      const untilTurn = () =>
        new Promise<void>((resolve) => {
          turn = resolve;
          enter(turn);
        });
      try {
        await within(deadline, untilTurn, () => busy);
      } finally {
        leave(turn);
      }
    },
    // Not in the same turn of the event loop: each write blocks it for the time of an fsync.
    proceed: () => void setImmediate(wakeNext),
  };
}
