import { print } from './standard-output.js';

export type Output = { json?: true };

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

/** Escapes control characters: an email could otherwise send commands to the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
