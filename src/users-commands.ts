import { read } from 'read';
import type { Config } from './config.js';
import { loadContract, operationNamed } from './contract.js';
import { migrate, openDatabase } from './database.js';
import { ExpectedError } from './expected-error.js';
import { createPasswords, PasswordTooLong } from './passwords.js';
import { compileSchema } from './validation.js';

/** What was asked of a users command can't be done; nothing has changed. */
class UserRefused extends ExpectedError {}

/**
 * Adds a user, whose password comes from a hidden prompt on a terminal, else from one line of standard input.
 *
 * @returns the new user's id
 * @throws UserRefused where a login could never carry these credentials, or where the email is taken
 */
export async function addUser(config: Config, email: string): Promise<number> {
  const password = await readPassword();
  refuseInvalid({ email, password });
  await migrate(config.databaseUrl);
  const database = await openDatabase(config.databaseUrl);
  try {
    const id = await database.users.add(email, await createPasswords(config.hashing).hash(password));
    if (id === undefined) throw new UserRefused(`email is taken: ${email}`);
    return id;
  } catch (error) {
    throw error instanceof PasswordTooLong ? new UserRefused(`password ${error.message}`) : error;
  } finally {
    await database.close();
  }
}

async function readPassword(): Promise<string> {
  // The prompt goes to standard error, so that standard output holds the id alone.
  if (process.stdin.isTTY) return read({ prompt: 'Password: ', silent: true, output: process.stderr });
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    if (chunk.includes('\n')) break;
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
    return text.split(/\r?\n/, 1)[0] ?? '';
  } catch {
    throw new UserRefused('password is not valid UTF-8');
  }
}

/** Holds new credentials to the schema that a login's are held to. */
function refuseInvalid(credentials: { email: string; password: string }): void {
  const [body] = operationNamed(loadContract(), 'createSession').bodies.values();
  const errors = body ? compileSchema(body.schema)(credentials) : [];
  if (errors.length > 0) throw new UserRefused(errors.map(({ field, message }) => `${field} ${message}`).join('; '));
}
