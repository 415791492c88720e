import type { User, Users } from '../database/users.js';

export type LastLogins = {
  /** Notes that a user logs in, unless that was noted less than an hour ago. Never delays the login, and never throws. */
  add(user: Pick<User, 'id' | 'lastLoginAt'>): void;
  /** Stores what is not stored yet. */
  flush(): Promise<void>;
};

/** Milliseconds. */
const NOTED_EVERY = 60 * 60 * 1_000;
/** Milliseconds in which logins share a write, and how many do at most. */
const STORED_EVERY = 1_000;
const STORED_AT_ONCE = 500;

/** Stores when users have logged in, to the hour: one write for many logins. A failure leaves it to the next login. */
export function createLastLogins(
  users: Pick<Users, 'noteLogins'>,
  log: { warn(fields: object, message: string): void },
  now: () => number,
): LastLogins {
  let notStored = new Set<number>();
  let timer: NodeJS.Timeout | undefined;
  let storing = Promise.resolve();

  async function store(): Promise<void> {
    const ids = [...notStored];
    notStored = new Set();
    clearTimeout(timer);
    timer = undefined;
    if (ids.length > 0) await users.noteLogins(ids, new Date(now()));
  }

  function flush(): Promise<void> {
    storing = storing.then(store).catch((err) => log.warn({ err }, 'the last logins of some users are not stored'));
    return storing;
  }

  return {
    add({ id, lastLoginAt }) {
      if (now() - lastLoginAt < NOTED_EVERY) return;
      notStored.add(id);
      if (notStored.size >= STORED_AT_ONCE) void flush();
      else timer ??= setTimeout(flush, STORED_EVERY).unref();
    },
    flush,
  };
}
