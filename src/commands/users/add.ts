import { type NewPasswordOptions, readNewPassword } from './new-password.js';
import { findUser, type OpenUsers, UserRefused, withUsers } from './open-users.js';
import { type Output, printUser } from './print.js';

/** @throws UserRefused where the email is taken; CredentialsRefused */
export async function addUser(
  env: NodeJS.ProcessEnv,
  email: string,
  options: Output & NewPasswordOptions,
): Promise<void> {
  const add = async (opened: OpenUsers) => {
    const { users, passwords } = opened;
    const id = await users.add(email, await readNewPassword(email, opened, options));
    if (id === undefined) throw new UserRefused(`email is taken: ${email}`);
    await printUser(await findUser(users, String(id)), passwords, options, String(id));
  };
  await withUsers(env, add, { mayCreate: true });
}
