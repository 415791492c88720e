import type { Counter } from '../database/throttle-counters.js';
import { type Deadline, within } from '../errors/deadline.js';
import { Overloaded } from '../errors/overloaded.js';

/** What this process knows of a key before the database does. */
export type Tally = {
  /** Attempts that have begun and not ended, and those of them that verify a password and need room here. */
  begun: number;
  inFlight: number;
  /** As the last failure left it; undefined after a success. */
  counter?: Counter | undefined;
  /** Attempts that wait for room, in their order. Each returns false if it has to wait on. */
  waiting: Set<() => boolean>;
};

/**
 * Resolves once an attempt has started.
 *
 * @param tryToStart - takes the room, or returns the first tally that has none; throws where the attempt is refused
 * @throws Overloaded at the deadline
 */
export async function startOnceThereIsRoom(tryToStart: () => Tally | undefined, deadline: Deadline): Promise<void> {
  let full = tryToStart();
  if (!full) return;
  let proceed = () => true;
  const started = () =>
    new Promise<void>((resolve, reject) => {
      proceed = () => {
        const waitedFor = full;
        try {
          full = tryToStart();
        } catch (error) {
          full = undefined;
          reject(error);
        }
        // It keeps its place: those who came later do not overtake it.
        if (full === waitedFor) return false;
        waitedFor?.waiting.delete(proceed);
        full?.waiting.add(proceed);
        if (!full) resolve();
        return true;
      };
      full?.waiting.add(proceed);
    });
  try {
    await within(deadline, started, () => new Overloaded());
  } finally {
    full?.waiting.delete(proceed);
  }
}

/** Starts those who wait until one has to wait on. */
export function startWaiting({ waiting }: Tally): void {
  for (const proceed of waiting) if (!proceed()) return;
}
