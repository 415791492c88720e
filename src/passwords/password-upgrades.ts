import type { StoredDigest, User, Users } from '../database/users.js';
import { type Passwords, PasswordTooLong } from './passwords.js';

export type PasswordUpgrades = {
  /** Brings the digest of a password that has just matched up to date, after the reply. Never throws. */
  add(user: StoredDigest & Pick<User, 'id'>, password: string): void;
  /** Drops what has not begun: the next login tries again. Resolves when what has begun is stored. */
  stop(): Promise<void>;
};

/** Queued upgrades: a few seconds' work. More are dropped; the next login tries again. */
const MAX_WAITING = 32;

/** Upgrades one password at a time, so that logins keep the other threads. */
export function createPasswordUpgrades(
  users: Pick<Users, 'replacePasswordDigest'>,
  passwords: Pick<Passwords, 'upgradeOf'>,
  log: { info(fields: object, message: string): void; error(fields: object, message: string): void },
): PasswordUpgrades {
  /** By the user's id; the first one runs. */
  const queue = new Map<number, () => Promise<void>>();
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (const [id, upgrade] of queue) {
      await upgrade();
      queue.delete(id);
    }
    running = undefined;
  }

  async function store(
    { id, passwordDigest }: Pick<User, 'id' | 'passwordDigest'>,
    upgrade: () => Promise<StoredDigest>,
  ): Promise<void> {
    try {
      // Not stored where the password has been changed meanwhile.
      const stored = await users.replacePasswordDigest(id, passwordDigest, await upgrade());
      if (stored) log.info({ userId: id }, 'stored the password in the current form');
    } catch (err) {
      // bcrypt can't hold longer passwords.
      if (!(err instanceof PasswordTooLong)) log.error({ err, userId: id }, 'the password was not upgraded');
    }
  }

  return {
    add(user, password) {
      if (queue.has(user.id) || queue.size >= MAX_WAITING) return;
      const upgrade = passwords.upgradeOf(user, password);
      if (upgrade === undefined) return;
      queue.set(user.id, () => store(user, upgrade));
      running ??= run();
    },
    async stop() {
      queue.clear();
      await running;
    },
  };
}
