import { findUser, withUsers } from './open-users.js';
import { nameOf, type Output, printUser } from './print.js';

export async function revokeSessions(env: NodeJS.ProcessEnv, key: string, output: Output): Promise<void> {
  await withUsers(env, async ({ users, passwords, revocations }) => {
    const user = await findUser(users, key);
    await revocations.endSessions(user.id);
    await printUser(user, passwords, output, `ended all sessions of ${nameOf(user)}`);
  });
}
