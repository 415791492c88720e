import type { UserRecord } from '../../database/users.js';
import type { UserEvent } from '../../errors/http-error.js';
import type { Passwords } from '../../passwords/passwords.js';
import { type Output, printable, printJson } from '../print.js';
import { print } from '../standard-output.js';
import { audit } from './audit.js';

/** Prints a user who was changed as JSON, or else the text; writes the change to the log. */
export async function reportChange(
  event: UserEvent,
  user: UserRecord,
  { passwords, json, text }: Output & { passwords: Passwords; text: string },
): Promise<void> {
  audit(event, { userId: user.id });
  if (json) await printJson(userJson(user, passwords));
  else await print(`${text}\n`);
}

export function userJson(user: UserRecord, passwords: Passwords) {
  return {
    id: user.id,
    email: user.email,
    disabled_at: user.disabledAt,
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    password: passwords.formOf(user.passwordDigest) ?? null,
  };
}

export function nameOf({ id, email }: UserRecord): string {
  return `${printable(email)} (id ${id})`;
}
