import { findUser, withUsers } from './open-users.js';
import { type Output, printable, printJson, printTable, userJson } from './print.js';

export async function showUser(env: NodeJS.ProcessEnv, key: string, { json }: Output): Promise<void> {
  await withUsers(env, async (users, passwords) => {
    const user = await findUser(users, key);
    if (json) return printJson(userJson(user, passwords));
    const form = passwords.formOf(user.passwordDigest);
    printTable([
      ['id', String(user.id)],
      ['email', printable(user.email)],
      ['state', user.disabledAt ? `disabled since ${user.disabledAt.toISOString()}` : 'enabled'],
      ['password', form ? `${form.format} ${form.parameters}` : 'unknown'],
      ['created_at', user.createdAt.toISOString()],
      ['updated_at', user.updatedAt.toISOString()],
    ]);
  });
}
