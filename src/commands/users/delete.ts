import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { UserNotFound } from '../../users/find-user.js';
import type { Output } from '../print.js';
import { findUser, withUsers } from './open-users.js';
import { nameOf, reportChange } from './print.js';
import { ask } from './prompt.js';

type DeleteOptions = Output & { yes?: true };

export async function deleteUser(env: NodeJS.ProcessEnv, key: string, options: DeleteOptions): Promise<void> {
  await withUsers(env, async ({ users, passwords }) => {
    const user = await findUser(users, key);
    if (!options.yes) await confirm(`Delete ${nameOf(user)}? [y/N] `);
    if (!(await users.delete(user.id))) throw new UserNotFound();
    await reportChange('user_deleted', user, { ...options, passwords, text: `deleted ${nameOf(user)}` });
  });
}

async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new ExpectedError('not a terminal: pass --yes to delete without confirmation', EXIT.USAGE);
  const answer = await ask(question);
  if (!/^y(es)?$/i.test(answer.trim())) throw new ExpectedError('not deleted', EXIT.FAILED);
}
