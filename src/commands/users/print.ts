import type { UserRecord } from '../../database/users.js';
import type { UserEvent } from '../../errors/http-error.js';
import type { Passwords } from '../../passwords/passwords.js';
import { print } from '../standard-output.js';
import { audit } from './audit.js';

export type Output = { json?: true };

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

export async function printJson(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value)}\n`);
}

/** Names the database that was created, on standard error: standard output is for the result. */
export function reportCreated(file: string): void {
  console.error(`created the database ${file}`);
}

export async function printTable(rows: string[][]): Promise<void> {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(cell.length, most[i] ?? 0)), []);
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  await print(`${lines.join('\n')}\n`);
}

export function nameOf({ id, email }: UserRecord): string {
  return `${printable(email)} (id ${id})`;
}

/** Escapes control characters: an email could otherwise send commands to the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
