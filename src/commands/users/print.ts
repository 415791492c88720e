import type { UserRecord } from '../../database/users.js';
import type { Passwords } from '../../passwords/passwords.js';

export type Output = { json?: true };

/** Prints a user as JSON, or else the text. */
export function printUser(user: UserRecord, passwords: Passwords, { json }: Output, text: string): void {
  if (json) printJson(userJson(user, passwords));
  else console.log(text);
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

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value));
}

export function printTable(rows: string[][]): void {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(cell.length, most[i] ?? 0)), []);
  for (const row of rows) {
    const cells = row.map((cell, i) => cell.padEnd(widths[i] ?? 0));
    console.log(cells.join('  ').trimEnd());
  }
}

export function nameOf({ id, email }: UserRecord): string {
  return `${printable(email)} (id ${id})`;
}

/** Escapes control characters: an email could otherwise send commands to the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
