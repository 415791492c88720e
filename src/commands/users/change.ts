import type { UserRecord } from '../../database/users.js';
import { disable, enable, setPassword, unlock } from '../../users/change.js';
import { hashNew } from '../../users/credentials.js';
import { findUser, type OpenUsers, withUsers } from './open-users.js';
import { nameOf, type Output, printUser } from './print.js';
import { readPassword } from './prompt.js';

/** Makes a verb that changes a user, and prints the user as changed, or else what was done. */
function changing(change: (opened: OpenUsers, user: UserRecord) => Promise<void>, done: string) {
  return (env: NodeJS.ProcessEnv, key: string, output: Output): Promise<void> =>
    withUsers(env, async (opened) => {
      const user = await findUser(opened.users, key);
      await change(opened, user);
      await printUser(await findUser(opened.users, key), opened.passwords, output, `${done} ${nameOf(user)}`);
    });
}

export const setUserPassword = changing(async ({ users, passwords }, user) => {
  await setPassword(users, user, await hashNew(user.email, await readPassword(), passwords));
}, 'set the password of');
export const disableUser = changing(({ users }, user) => disable(users, user), 'disabled');
export const enableUser = changing(({ users }, user) => enable(users, user), 'enabled');
export const unlockUser = changing(({ users }, user) => unlock(users, user), 'unlocked');
