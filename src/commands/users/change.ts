import type { UserRecord } from '../../database/users.js';
import { disable, enable, setPassword, unlock } from '../../users/change.js';
import { type NewPasswordOptions, readNewPassword } from './new-password.js';
import { findUser, type OpenUsers, withUsers } from './open-users.js';
import { nameOf, type Output, printUser } from './print.js';

/** Makes a verb that changes a user, and prints the user as changed, or else what was done. */
function changing<Options extends Output>(
  change: (opened: OpenUsers, user: UserRecord, options: Options) => Promise<void>,
  done: string,
) {
  return (env: NodeJS.ProcessEnv, key: string, options: Options): Promise<void> =>
    withUsers(env, async (opened) => {
      const user = await findUser(opened.users, key);
      await change(opened, user, options);
      await printUser(await findUser(opened.users, key), opened.passwords, options, `${done} ${nameOf(user)}`);
    });
}

export const setUserPassword = changing<Output & NewPasswordOptions>(async (opened, user, options) => {
  await setPassword(opened.users, user, await readNewPassword(user.email, opened, options));
}, 'set the password of');
export const disableUser = changing(({ users }, user) => disable(users, user), 'disabled');
export const enableUser = changing(({ users }, user) => enable(users, user), 'enabled');
export const unlockUser = changing(({ users }, user) => unlock(users, user), 'unlocked');
