import type { Output } from '../print.js';
import { type NewPasswordOptions, readNewPassword } from './new-password.js';
import { type OpenUsers, withUsers } from './open-users.js';
import { reportChange } from './print.js';

type AddOptions = Output & NewPasswordOptions & { id?: number };

/** @throws Taken, CredentialsRefused */
export async function addUser(env: NodeJS.ProcessEnv, email: string, { id, ...options }: AddOptions): Promise<void> {
  const add = async (opened: OpenUsers) => {
    const digest = await readNewPassword(email, opened, options);
    const user = await opened.users.add(email, digest, id === undefined ? {} : { id });
    const { passwords } = opened;
    await reportChange('user_created', user, { ...options, passwords, text: String(user.id) });
  };
  await withUsers(env, add, { mayCreate: true, hashes: true });
}
