import type { Counter } from '../database/throttle-counters.js';
import { type Deadline, within } from '../errors/deadline.js';
import { Overloaded } from '../errors/overloaded.js';

/** What this process knows of a key before the database does. */
export type Tally = {
  /** Attempts that have begun and not ended, and those of them that verify a password. */
  begun: number;
  inFlight: number;
  /** As the last failure left it; undefined after a success. */
  counter?: Counter | undefined;
  /** Wake the attempts that wait for room, in their order. */
  waiting: Set<() => void>;
};

/**
 * Resolves once an attempt under the key has ended.
 *
 * @throws Overloaded at the deadline
 */
export async function untilOneEnds({ waiting }: Tally, deadline: Deadline): Promise<void> {
  let wake = () => {};
  const woken = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
      waiting.add(wake);
    });
  try {
    await within(deadline, woken, () => new Overloaded());
  } finally {
    waiting.delete(wake);
  }
}

/** All of them: one may find that it has to wait for another key. */
export function wakeWaiting({ waiting }: Tally): void {
  for (const wake of waiting) wake();
}
