import type { DigestForm } from '../../passwords/passwords.js';
import { readPages, withUsers } from './open-users.js';
import { type Output, printJson, printTable } from './print.js';

const UNKNOWN: DigestForm = { format: 'unknown', parameters: '', current: false };

/** Counts users by the form of their digests: shows how far the upgrade at login has come. */
export async function printStats(env: NodeJS.ProcessEnv, { json }: Output): Promise<void> {
  await withUsers(env, async (users, passwords) => {
    const forms = new Map<string, DigestForm & { users: number }>();
    let total = 0;
    let disabled = 0;
    for await (const page of readPages(users)) {
      for (const { passwordDigest, disabledAt } of page) {
        const form = passwords.formOf(passwordDigest) ?? UNKNOWN;
        const key = JSON.stringify(form);
        forms.set(key, { ...form, users: (forms.get(key)?.users ?? 0) + 1 });
        total += 1;
        if (disabledAt) disabled += 1;
      }
    }
    const formats = [...forms.values()].sort((a, b) => b.users - a.users);
    if (json) return printJson({ users: total, disabled, formats });
    const rows = formats.map(({ format, parameters, current, users }) => {
      return [String(users), format, parameters, current ? 'current' : 'upgraded at login'];
    });
    printTable([...rows, [String(total), 'total'], [String(disabled), 'disabled']]);
  });
}
