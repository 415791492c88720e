import { hashNew } from '../../users/credentials.js';
import { findUser, type OpenUsers, UserRefused, withUsers } from './open-users.js';
import { type Output, printUser } from './print.js';
import { readPassword } from './prompt.js';

/** @throws UserRefused where the email is taken, or a login would not accept the email or the password */
export async function addUser(env: NodeJS.ProcessEnv, email: string, output: Output): Promise<void> {
  const add = async ({ users, passwords }: OpenUsers) => {
    const id = await users.add(email, await hashNew(email, await readPassword(), passwords));
    if (id === undefined) throw new UserRefused(`email is taken: ${email}`);
    await printUser(await findUser(users, String(id)), passwords, output, String(id));
  };
  await withUsers(env, add, { mayCreate: true });
}
