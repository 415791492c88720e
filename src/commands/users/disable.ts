import { findUser, withUsers } from './open-users.js';
import { nameOf, type Output, printUser } from './print.js';

type SetState = (env: NodeJS.ProcessEnv, key: string, output: Output) => Promise<void>;

export const disableUser: SetState = (...args) => setDisabled(true, ...args);
export const enableUser: SetState = (...args) => setDisabled(false, ...args);

/** Keeps the time at which a disabled user was disabled. */
async function setDisabled(disabled: boolean, env: NodeJS.ProcessEnv, key: string, output: Output): Promise<void> {
  await withUsers(env, async ({ users, passwords }) => {
    const user = await findUser(users, key);
    const isDisabled = user.disabledAt !== null;
    if (isDisabled !== disabled) await users.update(user.id, { disabledAt: disabled ? new Date() : null });
    await printUser(
      await findUser(users, key),
      passwords,
      output,
      `${disabled ? 'disabled' : 'enabled'} ${nameOf(user)}`,
    );
  });
}
