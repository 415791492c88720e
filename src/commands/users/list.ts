import { type Output, printable, printJson, printTable } from '../print.js';
import { withUsers } from './open-users.js';
import { userJson } from './print.js';

type ListOptions = Output & { email?: string; enabled?: true; disabled?: true; after: number; limit: number };

export async function listUsers(
  env: NodeJS.ProcessEnv,
  { email, enabled, disabled, after, limit, json }: ListOptions,
): Promise<void> {
  const filter = { email, disabled: enabled ? false : disabled };
  await withUsers(env, async ({ users, passwords }) => {
    const { users: page, next } = await users.list({ after, limit, filter });
    if (json) return await printJson({ users: page.map((user) => userJson(user, passwords)), next: next?.id ?? null });
    const rows = page.map(({ id, disabledAt, createdAt, email }) => [
      String(id),
      disabledAt ? 'disabled' : 'enabled',
      createdAt.toISOString(),
      printable(email),
    ]);
    await printTable([['id', 'state', 'created_at', 'email'], ...rows]);
    if (next) console.error(`next page: --after ${next.id}`);
  });
}
