import { NO_PASSWORD, type UserRecord } from '../../database/users.js';
import { print } from '../standard-output.js';
import { readPages, withUsers } from './open-users.js';

/**
 * Prints all users as JSON Lines, in the columns that `users import` reads, and `password_changed_at`. It tells a changed
 * password, which the old app does not know, from a digest that a login has upgraded.
 */
export async function exportUsers(env: NodeJS.ProcessEnv): Promise<void> {
  await withUsers(env, async ({ users }) => {
    for await (const page of readPages(users)) {
      if (!(await print(page.map(lineOf).join('')))) return;
    }
  });
}

function lineOf(user: UserRecord): string {
  const { id, email, passwordDigest, peppered, passwordChangedAt, disabledAt, emailConfirmedAt, createdAt } = user;
  const columns = {
    id,
    email,
    password_digest: passwordDigest === NO_PASSWORD ? null : passwordDigest,
    peppered,
    password_changed_at: passwordChangedAt,
    disabled_at: disabledAt,
    email_confirmed_at: emailConfirmedAt,
    created_at: createdAt,
  };
  return `${JSON.stringify(columns)}\n`;
}
