import { findUser, withUsers } from './open-users.js';
import { nameOf, type Output, printUser } from './print.js';

/** Forgives the failed logins of a user. Those of an address stay counted. */
export async function unlockUser(env: NodeJS.ProcessEnv, key: string, output: Output): Promise<void> {
  await withUsers(env, async ({ users, passwords }) => {
    const user = await findUser(users, key);
    await users.update(user.id, { unlockedAt: new Date() });
    await printUser(await findUser(users, key), passwords, output, `unlocked ${nameOf(user)}`);
  });
}
