import { withUsers } from './open-users.js';
import { type Output, printable, printJson, printTable, userJson } from './print.js';

type ListOptions = Output & { email?: string; enabled?: true; disabled?: true; after: number; limit: number };

export async function listUsers(
  env: NodeJS.ProcessEnv,
  { email, enabled, disabled, after, limit, json }: ListOptions,
): Promise<void> {
  const filter = { email, disabled: enabled ? false : disabled };
  await withUsers(env, async ({ users, passwords }) => {
    const found = await users.list({ after, limit: limit + 1, filter });
    const page = found.slice(0, limit);
    const next = found.length > limit ? (page.at(-1)?.id ?? null) : null;
    if (json) return await printJson({ users: page.map((user) => userJson(user, passwords)), next });
    const rows = page.map(({ id, disabledAt, createdAt, email }) => [
      String(id),
      disabledAt ? 'disabled' : 'enabled',
      createdAt.toISOString(),
      printable(email),
    ]);
    await printTable([['id', 'state', 'created_at', 'email'], ...rows]);
    if (next !== null) console.error(`next page: --after ${next}`);
  });
}
