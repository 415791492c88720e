import type { Deadline } from '../errors/deadline.js';
import { Overloaded } from '../errors/overloaded.js';

/** A key that attempts are counted under, and how many may be in flight. */
export type Place = { key: string; limit: number };

/** An attempt that is in flight. */
export type Pass = {
  /** Makes attempts that have read the counters read them again. */
  countFailure(): void;
  /** Whether an attempt of this process has failed under a key while this one was in flight. */
  hasFailures(key: string): boolean;
};

/** An attempt that wants to pass the gate. */
export type Attempt<Found> = {
  places: readonly Place[];
  /** Ends the wait for room. */
  deadline: Deadline;
  /** Reads the counters. */
  read(): Promise<Found>;
  /**
   * How many may be in flight under each place by what has been read, this one included; throws where the attempt is
   * refused.
   */
  roomFor(found: Found): number[];
};

export type Gate = {
  /**
   * Runs an attempt as soon as there is room under all of its keys. At most as many are in flight as could all fail within
   * the limits. The others wait, so parallel guesses can't exceed them.
   *
   * @throws Overloaded at the deadline, and where as many wait as may be in flight
   */
  pass<Found, Result>(attempt: Attempt<Found>, work: (found: Found, pass: Pass) => Promise<Result>): Promise<Result>;
};

/** What this process knows of a key before the database does. */
type Tally = { users: number; inFlight: number; failures: number; waiting: (() => void)[] };
type Entry = Place & { tally: Tally };

/** Bounds the attempts that are in flight in this process. */
export function createGate(): Gate {
  const tallies = new Map<string, Tally>();

  function enter({ key, limit }: Place): Entry {
    const tally = tallies.get(key) ?? { users: 0, inFlight: 0, failures: 0, waiting: [] };
    tally.users += 1;
    tallies.set(key, tally);
    return { key, limit, tally };
  }

  function leave({ key, tally }: Entry, wasAdmitted: boolean): void {
    if (wasAdmitted) {
      tally.inFlight -= 1;
      tally.waiting.shift()?.();
    }
    tally.users -= 1;
    if (tally.users === 0) tallies.delete(key);
  }

  return {
    async pass(attempt, work) {
      const entries = attempt.places.map(enter);
      let admitted = false;
      try {
        const found = await admit(entries, attempt);
        admitted = true;
        return await work(found, {
          countFailure() {
            for (const { tally } of entries) tally.failures += 1;
          },
          hasFailures: (key) => entries.some((entry) => entry.key === key && entry.tally.failures > 0),
        });
      } finally {
        for (const entry of entries) leave(entry, admitted);
      }
    },
  };
}

async function admit<Found>(entries: Entry[], { deadline, read, roomFor }: Attempt<Found>): Promise<Found> {
  let woken: Tally | undefined;
  try {
    for (;;) {
      let full = entries.find(({ limit, tally }) => tally.inFlight >= limit);
      if (!full) {
        const failures = failuresIn(entries);
        const found = await read();
        // A failure counted meanwhile may be missing.
        if (failures !== failuresIn(entries)) continue;
        const room = roomFor(found);
        full = entries.find(({ tally }, index) => tally.inFlight >= (room[index] ?? 0));
        if (!full) {
          for (const { tally } of entries) tally.inFlight += 1;
          return found;
        }
      }
      if (woken !== full.tally) woken?.waiting.shift()?.();
      if (full.tally.waiting.length >= full.limit) throw new Overloaded();
      woken = full.tally;
      await waitForRoom(woken, deadline);
    }
  } finally {
    // There may be room for another.
    woken?.waiting.shift()?.();
  }
}

function waitForRoom(tally: Tally, deadline: Deadline): Promise<void> {
  return new Promise((resolve, reject) => {
    const wake = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      tally.waiting = tally.waiting.filter((waiting) => waiting !== wake);
      reject(new Overloaded());
    }, deadline.remaining());
    tally.waiting.push(wake);
  });
}

function failuresIn(entries: Entry[]): number {
  return entries.reduce((sum, { tally }) => sum + tally.failures, 0);
}
