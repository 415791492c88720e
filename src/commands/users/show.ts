import { hasPassword, type UserRecord } from '../../database/users.js';
import type { Passwords } from '../../passwords/passwords.js';
import { findUser, withUsers } from './open-users.js';
import { type Output, printable, printJson, printTable, userJson } from './print.js';

export async function showUser(env: NodeJS.ProcessEnv, key: string, { json }: Output): Promise<void> {
  await withUsers(env, async ({ users, passwords }) => {
    const user = await findUser(users, key);
    if (json) return await printJson(userJson(user, passwords));
    await printTable([
      ['id', String(user.id)],
      ['email', printable(user.email)],
      ['state', user.disabledAt ? `disabled since ${user.disabledAt.toISOString()}` : 'enabled'],
      ['password', describePassword(user, passwords)],
      ['created_at', user.createdAt.toISOString()],
      ['updated_at', user.updatedAt.toISOString()],
    ]);
  });
}

function describePassword(user: UserRecord, passwords: Passwords): string {
  if (!hasPassword(user)) return 'none';
  const form = passwords.formOf(user.passwordDigest);
  return form ? `${form.format} ${form.parameters}` : 'unknown';
}
