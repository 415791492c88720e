import { hasPassword, type UserRecord } from '../../database/users.js';
import type { Passwords } from '../../passwords/passwords.js';
import type { FailedLogins } from '../../throttle/lockouts.js';
import { type Output, printable, printJson, printTable } from '../print.js';
import { findUser, withUsers } from './open-users.js';
import { userJson } from './print.js';

type ShowOptions = Output & { address?: string };

export async function showUser(env: NodeJS.ProcessEnv, key: string, { json, address }: ShowOptions): Promise<void> {
  await withUsers(env, async ({ users, passwords, failedLogins }) => {
    const user = await findUser(users, key);
    const failed = await failedLogins(user, address);
    if (json) return await printJson({ ...userJson(user, passwords), failed_logins: failed.map(failedLoginsJson) });
    await printTable([
      ['id', String(user.id)],
      ['email', printable(user.email)],
      ['state', user.disabledAt ? `disabled since ${user.disabledAt.toISOString()}` : 'enabled'],
      ['password', describePassword(user, passwords)],
      ['created_at', user.createdAt.toISOString()],
      ['updated_at', user.updatedAt.toISOString()],
      ...failed.map((each) => ['failed logins', describeFailedLogins(each)]),
    ]);
  });
}

function failedLoginsJson({ budget, failures, limit, lockedUntil }: FailedLogins) {
  return { budget, failures, limit, locked_until: lockedUntil ?? null };
}

function describeFailedLogins({ budget, failures, limit, lockedUntil }: FailedLogins): string {
  const count = `${budget}: ${failures}, the limit is ${limit}`;
  return lockedUntil ? `${count}; locked out until ${lockedUntil.toISOString()}` : count;
}

function describePassword(user: UserRecord, passwords: Passwords): string {
  if (!hasPassword(user)) return 'none';
  const form = passwords.formOf(user.passwordDigest);
  return form ? `${form.format} ${form.parameters}` : 'unknown';
}
