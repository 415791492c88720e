import { type Database, LOGIN_TIMEOUT } from './database.js';

export type RotatingDatabase = Database & {
  /** From now on asks through another one's connections; those of the one before are closed once nobody waits for them. */
  rotate(next: Database): void;
};

/**
 * A database whose connections can be replaced while it is in use.
 *
 * @param first - opened, as each that follows, with LOGIN_TIMEOUT
 */
export function createRotatingDatabase(first: Database): RotatingDatabase {
  let current = first;
  const retired = new Map<Database, NodeJS.Timeout>();

  function close(database: Database): Promise<void> {
    clearTimeout(retired.get(database));
    retired.delete(database);
    return database.close();
  }

  // Whoever has a part of it keeps the part, so the parts stay and their functions are replaced: that costs a login nothing.
  const rotating: RotatingDatabase = {
    users: { ...first.users },
    throttleCounters: { ...first.throttleCounters },
    ping: first.ping,
    async close() {
      await Promise.all([current, ...retired.keys()].map(close));
    },
    rotate(next) {
      const old = current;
      current = next;
      Object.assign(rotating.users, next.users);
      Object.assign(rotating.throttleCounters, next.throttleCounters);
      rotating.ping = next.ping;
      // By then all that it was asked has been answered, or given up. What is broken already needs no closing.
      retired.set(old, setTimeout(() => close(old).catch(() => {}), 2 * LOGIN_TIMEOUT).unref());
    },
  };
  return rotating;
}
