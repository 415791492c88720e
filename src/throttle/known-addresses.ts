import type { Counter, ThrottleCounters } from '../database/throttle-counters.js';

/** Addresses that an email has logged in from: whoever is there is not locked out by a stranger's guesses. */
export type KnownAddresses = {
  /** Whether a key is remembered here and not stored yet. */
  has(key: string): boolean;
  /** Remembers an address, unless what is stored is new enough. */
  remember(key: string, stored: Counter | undefined, now: number): void;
  /** Stores what is not stored yet. */
  flush(): Promise<void>;
};

const DAY = 24 * 60 * 60 * 1_000;
/** Milliseconds for which an address is remembered, and after which that is stored anew. */
const KNOWN_FOR = 90 * DAY;
const RENEWED_AFTER = DAY;
/** They are stored once a second, or as soon as there are so many. */
const STORED_EVERY = 1_000;
const STORED_AT_ONCE = 500;

export function createKnownAddresses(counters: Pick<ThrottleCounters, 'reset'>): KnownAddresses {
  /** Until when each is known, by key. */
  const notStored = new Map<string, number>();
  let storing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function store(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const rows = [...notStored].map(([key, expiresAt]) => ({ key, expiresAt }));
    notStored.clear();
    if (rows.length > 0) await counters.reset(rows);
  }

  function flush(): Promise<void> {
    storing ??= store().finally(() => {
      storing = undefined;
    });
    return storing;
  }

  return {
    has: (key) => notStored.has(key),
    remember(key, stored, now) {
      if (stored && stored.expiresAt - now >= KNOWN_FOR - RENEWED_AFTER) return;
      // One write serves many logins: on its own it would cost more than all that a login does beside hashing.
      notStored.set(key, now + KNOWN_FOR);
      // Where the database does not take it, the next login from there is another chance.
      const flushQuietly = () => flush().catch(() => {});
      if (notStored.size >= STORED_AT_ONCE) flushQuietly();
      else timer ??= setTimeout(flushQuietly, STORED_EVERY).unref();
    },
    flush,
  };
}
