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
 * Resolves once an attempt has started.
 *
 * @param tryToStart - takes the room, or returns the first tally that has none; throws where the attempt is refused
 * @throws Overloaded at the deadline
 */
export async function startOnceThereIsRoom(tryToStart: () => Tally | undefined, deadline: Deadline): Promise<void> {
  let full = tryToStart();
  while (full) {
    const waitedFor: Tally = full;
    full = undefined;
    try {
      await untilWoken(waitedFor, deadline);
      full = tryToStart();
    } finally {
      // It does not need the room, or there may be more.
      if (full !== waitedFor) wakeNext(waitedFor);
    }
  }
}

async function untilWoken({ waiting }: Tally, deadline: Deadline): Promise<void> {
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

/** One at a time: hundreds that all judge again would take the event loop. */
export function wakeNext({ waiting }: Tally): void {
  const [wake] = waiting;
  wake?.();
}
