import type { Counter } from '../database/throttle-counters.js';
import type { Deadline } from '../errors/deadline.js';
import { Overloaded } from '../errors/overloaded.js';

/** What this process knows of a key before the database does. */
export type Tally = {
  inFlight: number;
  /** As the last failure left it; undefined after a success. */
  counter?: Counter | undefined;
  /** In the order in which they came. */
  attempts: Set<Turn>;
};

/** Of an attempt that waits: starts it, or returns the tally that has no room. */
export type Turn = { tryStart?: (() => Tally | undefined) | undefined };

/**
 * Resolves once an attempt has started.
 *
 * @param tryStart - takes the room, or returns the first tally that has none; throws where the attempt is refused
 * @throws Overloaded at the deadline
 */
export function startInTurn(turn: Turn, tryStart: () => Tally | undefined, deadline: Deadline): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!tryStart()) return resolve();
    const settle = (end: () => void) => {
      clearTimeout(timer);
      turn.tryStart = undefined;
      end();
    };
    const timer = setTimeout(() => settle(() => reject(new Overloaded())), deadline.remaining());
    turn.tryStart = () => {
      try {
        const full = tryStart();
        if (!full) settle(resolve);
        return full;
      } catch (error) {
        settle(() => reject(error));
        return undefined;
      }
    };
  });
}

/** Lets those start that wait for room under a key, up to the first that has to wait for this key on. */
export function wakeWaiting(tally: Tally): void {
  for (const { tryStart } of tally.attempts) if (tryStart?.() === tally) return;
}
