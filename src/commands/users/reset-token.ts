import { createPasswordReset } from '../../users/reset-password.js';
import { type Output, printJson } from '../print.js';
import { print } from '../standard-output.js';
import { audit } from './audit.js';
import { findUser, withUsers } from './open-users.js';

/** Prints a token for `POST /api/v1/user/password/reset`. */
export async function printResetToken(env: NodeJS.ProcessEnv, key: string, { json }: Output): Promise<void> {
  await withUsers(env, async (opened) => {
    const { id: userId } = await findUser(opened.users, key);
    const { token, expiresAt } = await createPasswordReset(userId, opened);
    audit('password_reset_created', { userId });
    if (json) await printJson({ token, expires_at: expiresAt });
    else await print(`${token}\n`);
  });
}
