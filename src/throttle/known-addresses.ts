import type { Counter, ThrottleCounters } from '../database/throttle-counters.js';

/** Addresses that an email has logged in from: a stranger's guesses do not lock them out. */
export type KnownAddresses = {
  /** Whether an address is known, by what is stored or remembered here, since it was last forgotten. */
  isKnown(key: string, stored: Counter | undefined, forgottenAt: number, now: number): boolean;
  /** Remembers an address, unless what is stored is new enough. */
  remember(key: string, stored: Counter | undefined, now: number): void;
  /** Stores what is not stored yet. */
  flush(): Promise<void>;
};

const DAY = 24 * 60 * 60 * 1_000;
/** Milliseconds for which an address is known, and after which it is stored again. */
const KNOWN_FOR = 90 * DAY;
const RENEWED_AFTER = DAY;
/** They are stored once a second, or as soon as there are so many. */
const STORED_EVERY = 1_000;
const STORED_AT_ONCE = 500;

export function createKnownAddresses(counters: Pick<ThrottleCounters, 'reset'>): KnownAddresses {
  /** Until when each is known, by key. */
  const notStored = new Map<string, number>();
  let storing = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  async function store(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const rows = [...notStored].map(([key, expiresAt]) => ({ key, expiresAt }));
    if (rows.length > 0) await counters.reset(rows);
    for (const { key, expiresAt } of rows) if (notStored.get(key) === expiresAt) notStored.delete(key);
  }

  function flush(): Promise<void> {
    storing = storing.catch(() => {}).then(store);
    return storing;
  }

  return {
    isKnown(key, stored, forgottenAt, now) {
      const knownUntil = Math.max(stored?.expiresAt ?? 0, notStored.get(key) ?? 0);
      return knownUntil > now && knownUntil - KNOWN_FOR > forgottenAt;
    },
    remember(key, stored, now) {
      if (stored && stored.expiresAt - now >= KNOWN_FOR - RENEWED_AFTER) return;
      // One write for many logins: a write each would cost more than the rest of a login beside hashing.
      notStored.set(key, now + KNOWN_FOR);
      // After a failure the next login from there tries again.
      const flushQuietly = () => flush().catch(() => {});
      if (notStored.size === STORED_AT_ONCE) flushQuietly();
      else timer ??= setTimeout(flushQuietly, STORED_EVERY).unref();
    },
    flush,
  };
}
