import { redactedUrl } from '../../database/connection/database-url.js';
import { hasPassword } from '../../database/users.js';
import type { DigestForm } from '../../passwords/passwords.js';
import type { PepperState } from '../../passwords/peppers.js';
import { type Output, printJson, printTable } from '../print.js';
import { print } from '../standard-output.js';
import { readPages, withUsers } from './open-users.js';

const NONE: DigestForm = { format: 'none', parameters: '', current: false };
const UNKNOWN: DigestForm = { format: 'unknown', parameters: '', current: false };

type Counted = DigestForm & { pepper: PepperState | null; users: number };

const PEPPERS: { [State in PepperState]: string } = {
  current: 'the current pepper',
  previous: 'the previous pepper',
  unnamed: 'an unnamed pepper',
  other: 'another pepper',
};

/** Counts users by the form of their digests, and the pepper: shows how far the upgrade at login has come. */
export async function printStats(env: NodeJS.ProcessEnv, { json }: Output): Promise<void> {
  await withUsers(env, async ({ users, passwords, databaseUrl }) => {
    const forms = new Map<string, Counted>();
    let total = 0;
    let disabled = 0;
    for await (const page of readPages(users)) {
      for (const user of page) {
        const form = hasPassword(user) ? (passwords.formOf(user.passwordDigest) ?? UNKNOWN) : NONE;
        const pepper = passwords.pepperOf(user) ?? null;
        const current = form.current && (pepper === null || pepper === 'current');
        const key = `${form.format} ${form.parameters} ${pepper} ${current}`;
        const counted = forms.get(key) ?? { ...form, pepper, current, users: 0 };
        forms.set(key, { ...counted, users: counted.users + 1 });
        total += 1;
        if (user.disabledAt) disabled += 1;
      }
    }
    const formats = [...forms.values()].sort((a, b) => b.users - a.users);
    const database = redactedUrl(databaseUrl);
    if (json) return await printJson({ database, users: total, disabled, formats });
    const rows = formats.map(({ format, parameters, pepper, current, users }) => {
      if (format === NONE.format) return [String(users), 'no password', '', 'can’t log in'];
      const state = pepper === 'other' ? 'can’t log in' : current ? 'current' : 'upgraded at login';
      return [String(users), format, parameters, state, ...(pepper ? [PEPPERS[pepper]] : [])];
    });
    await print(`${database}\n`);
    await printTable([...rows, [String(total), 'total'], [String(disabled), 'disabled']]);
  });
}
