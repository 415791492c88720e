import { pipeline } from 'node:stream/promises';
import type { UserRecord } from '../../database/users.js';
import { readPages, withUsers } from './open-users.js';

/**
 * Prints all users as JSON Lines, in the columns that `users import` reads, and `password_changed_at`: it tells a changed
 * password, which the app of before does not know, from a digest that a login has upgraded.
 */
export async function exportUsers(env: NodeJS.ProcessEnv): Promise<void> {
  await withUsers(env, async (users) => {
    try {
      await pipeline(readPages(users), toJsonLines, process.stdout, { end: false });
    } catch (error) {
      // The reader, such as `head`, has read enough.
      if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
    }
  });
}

async function* toJsonLines(pages: AsyncIterable<UserRecord[]>): AsyncGenerator<string> {
  for await (const page of pages) yield page.map(lineOf).join('');
}

function lineOf({ id, email, passwordDigest, peppered, passwordChangedAt, disabledAt, createdAt }: UserRecord): string {
  const columns = {
    id,
    email,
    password_digest: passwordDigest,
    peppered,
    password_changed_at: passwordChangedAt,
    disabled_at: disabledAt,
    created_at: createdAt,
  };
  return `${JSON.stringify(columns)}\n`;
}
