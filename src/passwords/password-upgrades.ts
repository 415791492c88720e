import type { User, Users } from '../database/users.js';
import { type Passwords, PasswordTooLong } from './passwords.js';

export type PasswordUpgrades = {
  /** Rehashes a password that has just matched, after the reply. Never throws. */
  add(user: Pick<User, 'id' | 'passwordDigest'>, password: string): void;
  /** Resolves when nothing is left to store. */
  finished(): Promise<void>;
};

/** Queued upgrades: a few seconds' work. More are dropped; the next login tries again. */
const MAX_WAITING = 32;

/** Upgrades one password at a time, so that logins keep the other threads. */
export function createPasswordUpgrades(
  users: Pick<Users, 'replacePasswordDigest'>,
  passwords: Pick<Passwords, 'hash' | 'isOutdated'>,
  log: { info(fields: object, message: string): void; error(fields: object, message: string): void },
): PasswordUpgrades {
  const waiting = new Set<number>();
  let last: Promise<void> = Promise.resolve();

  async function upgrade({ id, passwordDigest }: Pick<User, 'id' | 'passwordDigest'>, password: string): Promise<void> {
    try {
      const digest = await passwords.hash(password);
      // Not stored where the password has been changed meanwhile.
      const stored = await users.replacePasswordDigest(id, passwordDigest, digest);
      if (stored) log.info({ userId: id }, 'stored the password in the current form');
    } catch (err) {
      // bcrypt can't hold longer passwords.
      if (!(err instanceof PasswordTooLong)) log.error({ err, userId: id }, 'the password was not upgraded');
    } finally {
      waiting.delete(id);
    }
  }

  return {
    add(user, password) {
      if (waiting.has(user.id) || waiting.size >= MAX_WAITING) return;
      if (!passwords.isOutdated(user.passwordDigest, password)) return;
      waiting.add(user.id);
      last = last.then(() => upgrade(user, password));
    },
    finished: () => last,
  };
}
