import { findUser, withUsers } from './open-users.js';
import { nameOf, type Output, printUser } from './print.js';
import { readDigest } from './prompt.js';

export async function setPassword(env: NodeJS.ProcessEnv, key: string, output: Output): Promise<void> {
  await withUsers(env, async ({ users, passwords }) => {
    const user = await findUser(users, key);
    await users.update(user.id, await readDigest(user.email, passwords));
    await printUser(await findUser(users, key), passwords, output, `set the password of ${nameOf(user)}`);
  });
}
