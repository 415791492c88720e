import { redactedUrl } from '../../database/connection/database-url.js';
import { hasPassword } from '../../database/users.js';
import type { DigestForm } from '../../passwords/passwords.js';
import { print } from '../standard-output.js';
import { readPages, withUsers } from './open-users.js';
import { type Output, printJson, printTable } from './print.js';

const NONE: DigestForm = { format: 'none', parameters: '', current: false };
const UNKNOWN: DigestForm = { format: 'unknown', parameters: '', current: false };

/** Counts users by the form of their digests: shows how far the upgrade at login has come. */
export async function printStats(env: NodeJS.ProcessEnv, { json }: Output): Promise<void> {
  await withUsers(env, async ({ users, passwords, databaseUrl }) => {
    const forms = new Map<string, DigestForm & { users: number }>();
    let total = 0;
    let disabled = 0;
    for await (const page of readPages(users)) {
      for (const user of page) {
        const form = hasPassword(user) ? (passwords.formOf(user.passwordDigest) ?? UNKNOWN) : NONE;
        const key = JSON.stringify(form);
        forms.set(key, { ...form, users: (forms.get(key)?.users ?? 0) + 1 });
        total += 1;
        if (user.disabledAt) disabled += 1;
      }
    }
    const formats = [...forms.values()].sort((a, b) => b.users - a.users);
    const database = redactedUrl(databaseUrl);
    if (json) return await printJson({ database, users: total, disabled, formats });
    const rows = formats.map(({ format, parameters, current, users }) => {
      if (format === NONE.format) return [String(users), 'no password', '', 'can’t log in'];
      return [String(users), format, parameters, current ? 'current' : 'upgraded at login'];
    });
    await print(`${database}\n`);
    await printTable([...rows, [String(total), 'total'], [String(disabled), 'disabled']]);
  });
}
