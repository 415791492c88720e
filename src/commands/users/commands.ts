import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { read } from 'read';
import type { Config } from '../../config/config.js';
import { compileSchema } from '../../contract/validation.js';
import { type Database, openDatabase } from '../../database/database.js';
import { migrate } from '../../database/migrate.js';
import { MAX_ID, type UserFilter, type UserRecord, type Users } from '../../database/users.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { createPasswords, type Passwords, PasswordTooLong } from '../../passwords/passwords.js';
import { decodeUtf8 } from '../../text/utf8.js';
import { credentialsSchema } from '../../users/credentials.js';
import { startProgress } from '../progress.js';

/** What was asked of a users command can't be done; nothing has changed. */
export class UserRefused extends ExpectedError {}

/** Rows that are read at once. */
const PAGE = 1000;

type Output = { json?: true };

/**
 * Adds a user, and prints the id. The password comes from a hidden prompt on a terminal, else from one line of standard
 * input.
 *
 * @throws UserRefused where a login could never carry these credentials, or where the email is taken
 */
export async function addUser(config: Config, email: string, { json }: Output): Promise<void> {
  const password = await readPassword();
  refuseInvalid({ email, password });
  await withUsers(config, async (users, passwords) => {
    const id = await users.add(email, await hash(passwords, password));
    if (id === undefined) throw new UserRefused(`email is taken: ${email}`);
    if (json) printJson(userJson(await findUser(users, String(id)), passwords));
    else console.log(String(id));
  });
}

export async function listUsers(
  config: Config,
  { after, limit, json, ...filter }: Output & UserFilter & { after: number; limit: number },
): Promise<void> {
  await withUsers(config, async (users, passwords) => {
    const found = await users.list({ after, limit: limit + 1, filter });
    const page = found.slice(0, limit);
    const next = found.length > limit ? (page.at(-1)?.id ?? null) : null;
    if (json) return printJson({ users: page.map((user) => userJson(user, passwords)), next });
    const rows = page.map(({ id, disabledAt, createdAt, email }) => [
      String(id),
      disabledAt ? 'disabled' : 'enabled',
      createdAt.toISOString(),
      printable(email),
    ]);
    printTable([['id', 'state', 'created_at', 'email'], ...rows]);
    if (next !== null) console.error(`there are more: --after ${next}`);
  });
}

export async function showUser(config: Config, key: string, output: Output): Promise<void> {
  await withUsers(config, async (users, passwords) => {
    const user = await findUser(users, key);
    if (output.json) return printJson(userJson(user, passwords));
    const form = passwords.formOf(user.passwordDigest);
    printTable([
      ['id', String(user.id)],
      ['email', printable(user.email)],
      ['state', user.disabledAt ? `disabled since ${user.disabledAt.toISOString()}` : 'enabled'],
      ['password', form ? `${form.format} ${form.parameters}` : UNKNOWN],
      ['created_at', user.createdAt.toISOString()],
      ['updated_at', user.updatedAt.toISOString()],
    ]);
  });
}

export async function setPassword(config: Config, key: string, output: Output): Promise<void> {
  await withUsers(config, async (users, passwords) => {
    const { id, email } = await findUser(users, key);
    const password = await readPassword();
    refuseInvalid({ email, password });
    await users.update(id, { passwordDigest: await hash(passwords, password) });
    printChanged('set the password of', await findUser(users, String(id)), passwords, output);
  });
}

/** Who is disabled already stays so since then. */
export async function setDisabled(config: Config, key: string, disabled: boolean, output: Output): Promise<void> {
  await withUsers(config, async (users, passwords) => {
    const { id, disabledAt } = await findUser(users, key);
    if ((disabledAt !== null) !== disabled) await users.update(id, { disabledAt: disabled ? new Date() : null });
    printChanged(disabled ? 'disabled' : 'enabled', await findUser(users, String(id)), passwords, output);
  });
}

export async function deleteUser(config: Config, key: string, output: Output & { yes?: true }): Promise<void> {
  await withUsers(config, async (users, passwords) => {
    const user = await findUser(users, key);
    if (!output.yes) await confirm(`Delete ${printable(user.email)} (id ${user.id})? [y/N] `);
    await users.delete(user.id);
    printChanged('deleted', user, passwords, output);
  });
}

/** Prints all users as JSON Lines, in the columns that `users import` reads. */
export async function exportUsers(config: Config): Promise<void> {
  await withUsers(config, async (users) => {
    async function* lines() {
      for await (const page of pages(users)) yield page.map(exportLine).join('');
    }
    try {
      await pipeline(Readable.from(lines()), process.stdout, { end: false });
    } catch (error) {
      // Whoever reads, such as `head`, has read enough.
      if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
    }
  });
}

function exportLine({ id, email, passwordDigest, disabledAt, createdAt }: UserRecord): string {
  const columns = { id, email, password_digest: passwordDigest, disabled_at: disabledAt, created_at: createdAt };
  return `${JSON.stringify(columns)}\n`;
}

/** Counts the users by the form of their digests, so that an operator sees the upgrade at login advance. */
export async function printStats(config: Config, { json }: Output): Promise<void> {
  await withUsers(config, async (users, passwords) => {
    const forms = new Map<string, { format: string; parameters: string; current: boolean; users: number }>();
    let total = 0;
    let disabled = 0;
    for await (const page of pages(users)) {
      for (const { passwordDigest, disabledAt } of page) {
        const form = passwords.formOf(passwordDigest) ?? { format: UNKNOWN, parameters: '', current: false };
        const key = JSON.stringify(form);
        const entry = forms.get(key) ?? { ...form, users: 0 };
        forms.set(key, { ...entry, users: entry.users + 1 });
        total += 1;
        if (disabledAt) disabled += 1;
      }
    }
    const formats = [...forms.values()].sort((a, b) => b.users - a.users);
    if (json) return printJson({ users: total, disabled, formats });
    const rows = formats.map((form) => [
      String(form.users),
      form.format,
      form.parameters,
      form.current ? 'current' : 'upgraded at login',
    ]);
    printTable([...rows, [String(total), 'in all'], [String(disabled), 'disabled']]);
  });
}

const UNKNOWN = 'unknown';

/** Brings the database up to date, and opens it for the time of the work. */
async function withUsers(config: Config, work: (users: Users, passwords: Passwords) => Promise<void>): Promise<void> {
  await migrate(config.databaseUrl);
  const database: Database = await openDatabase(config.databaseUrl);
  try {
    await work(database.users, createPasswords(config.hashing));
  } finally {
    await database.close();
  }
}

/** Goes through all users in the order of their ids, and shows how far it is. */
async function* pages(users: Users): AsyncGenerator<UserRecord[]> {
  const progress = startProgress();
  const total = await users.count();
  let seen = 0;
  let after = 0;
  for (;;) {
    const page = await users.list({ after, limit: PAGE });
    const last = page.at(-1);
    if (!last) break;
    yield page;
    after = last.id;
    seen += page.length;
    progress.report(seen, seen / total);
  }
  progress.stop();
}

/** @throws UserRefused where there is no such user */
async function findUser(users: Users, key: string): Promise<UserRecord> {
  const id = /^\d+$/.test(key) ? Number(key) : undefined;
  const user = id === undefined ? await users.find({ email: key }) : id <= MAX_ID && (await users.find({ id }));
  if (user) return user;
  throw new UserRefused(`there is no user ${id === undefined ? 'with the email' : 'with the id'} ${printable(key)}`);
}

async function hash(passwords: Passwords, password: string): Promise<string> {
  try {
    return await passwords.hash(password);
  } catch (error) {
    throw error instanceof PasswordTooLong ? new UserRefused(`password ${error.message}`) : error;
  }
}

async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw new UserRefused('nobody is there to be asked: --yes deletes without asking');
  const answer = await read({ prompt: question, output: process.stderr });
  if (!/^y(es)?$/i.test(answer.trim())) throw new UserRefused('not deleted');
}

function userJson(user: UserRecord, passwords: Passwords) {
  return {
    id: user.id,
    email: user.email,
    disabled_at: user.disabledAt,
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    password: passwords.formOf(user.passwordDigest) ?? null,
  };
}

function printChanged(what: string, user: UserRecord, passwords: Passwords, { json }: Output): void {
  if (json) printJson(userJson(user, passwords));
  else console.log(`${what} ${printable(user.email)} (id ${user.id})`);
}

function printJson(value: unknown): void {
  console.log(JSON.stringify(value));
}

function printTable(rows: string[][]): void {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(cell.length, most[i] ?? 0)), []);
  for (const row of rows)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

/** Control characters would let an email change what a terminal shows. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) {
    const password = await promptPassword('Password: ');
    if ((await promptPassword('Again: ')) !== password) throw new UserRefused('the two passwords differ');
    return password;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    if (chunk.includes('\n')) break;
  }
  const text = decodeUtf8(Buffer.concat(chunks));
  if (text === undefined) throw new UserRefused('password is not valid UTF-8');
  return text.split(/\r?\n/, 1)[0] ?? '';
}

/** Asks on standard error, so that standard output holds the id alone. */
async function promptPassword(prompt: string): Promise<string> {
  // At Ctrl-D readline closes without a word, and then there is nothing left to wait for.
  const abandoned = once(process, 'beforeExit').then(() => undefined);
  const password = await Promise.race([
    read({ prompt, silent: true, output: process.stderr }).catch(() => undefined), // Ctrl-C
    abandoned,
  ]);
  process.stderr.write('\n');
  if (password === undefined) throw new UserRefused('no password was given');
  return password;
}

/** Holds new credentials to the schema that a login's are held to. */
function refuseInvalid(credentials: { email: string; password: string }): void {
  const errors = compileSchema(credentialsSchema())(credentials);
  if (errors.length > 0) throw new UserRefused(errors.map(({ field, message }) => `${field} ${message}`).join('; '));
}
