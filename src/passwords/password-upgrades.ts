import type { User, Users } from '../database/users.js';
import { type Passwords, PasswordTooLong } from './passwords.js';

export type PasswordUpgrades = {
  /** Rehashes a password that has just matched, after the reply. Never throws. */
  add(user: Pick<User, 'id' | 'passwordDigest'>, password: string): void;
  /** Drops what has not begun: the next login tries again. Resolves when what has begun is stored. */
  stop(): Promise<void>;
};

/** Queued upgrades: a few seconds' work. More are dropped; the next login tries again. */
const MAX_WAITING = 32;

/** Upgrades one password at a time, so that logins keep the other threads. */
export function createPasswordUpgrades(
  users: Pick<Users, 'replacePasswordDigest'>,
  passwords: Pick<Passwords, 'hash' | 'isOutdated'>,
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

  async function upgrade({ id, passwordDigest }: Pick<User, 'id' | 'passwordDigest'>, password: string): Promise<void> {
    try {
      const digest = await passwords.hash(password);
      // Not stored where the password has been changed meanwhile.
      const stored = await users.replacePasswordDigest(id, passwordDigest, digest);
      if (stored) log.info({ userId: id }, 'stored the password in the current form');
    } catch (err) {
      // bcrypt can't hold longer passwords.
      if (!(err instanceof PasswordTooLong)) log.error({ err, userId: id }, 'the password was not upgraded');
    }
  }

  return {
    add(user, password) {
      if (queue.has(user.id) || queue.size >= MAX_WAITING) return;
      if (!passwords.isOutdated(user.passwordDigest, password)) return;
      queue.set(user.id, () => upgrade(user, password));
      running ??= run();
    },
    async stop() {
      queue.clear();
      await running;
    },
  };
}
