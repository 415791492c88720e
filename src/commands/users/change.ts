import type { UserRecord } from '../../database/users.js';
import type { UserEvent } from '../../errors/http-error.js';
import { refuseInvalid } from '../../users/credentials.js';
import { type UserUpdate, updateUser } from '../../users/update-user.js';
import type { Output } from '../print.js';
import { type NewPasswordOptions, readNewPassword } from './new-password.js';
import { findUser, type OpenUsers, withUsers } from './open-users.js';
import { nameOf, reportChange } from './print.js';

/** Makes a verb that changes a user, and prints the user as changed, or else what was done. */
function changing<Options extends Output>(
  updateOf: (opened: OpenUsers, user: UserRecord, options: Options) => UserUpdate | Promise<UserUpdate>,
  done: string,
  { event = 'user_updated', hashes = false }: { event?: UserEvent; hashes?: boolean } = {},
) {
  return (env: NodeJS.ProcessEnv, key: string, options: Options): Promise<void> => {
    const work = async (opened: OpenUsers) => {
      const user = await findUser(opened.users, key);
      const updated = await updateUser(opened.users, user.id, await updateOf(opened, user, options));
      await reportChange(event, updated, { ...options, passwords: opened.passwords, text: `${done} ${nameOf(user)}` });
    };
    return withUsers(env, work, { hashes });
  };
}

export const setUserPassword = changing<Output & NewPasswordOptions>(
  async (opened, { email }, options) => ({ digest: await readNewPassword(email, opened, options) }),
  'set the password of',
  { hashes: true },
);
export const disableUser = changing(() => ({ disabled: true }), 'disabled');
export const enableUser = changing(() => ({ disabled: false }), 'enabled');
export const unlockUser = changing(() => ({ unlocked: true }), 'unlocked', { event: 'user_unlocked' });

/** @throws CredentialsRefused, Taken */
export function setUserEmail(env: NodeJS.ProcessEnv, key: string, email: string, output: Output): Promise<void> {
  refuseInvalid({ email });
  return changing(() => ({ email }), 'set the email of')(env, key, output);
}
