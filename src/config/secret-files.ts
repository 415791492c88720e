import { readFileSync } from 'node:fs';
import { decodeUtf8 } from '../text/utf8.js';

/** What may be kept in a file, which NAME_FILE names. */
const SECRETS = ['DATABASE_URL', 'JWT_SECRET', 'BCRYPT_PEPPER'] as const;

/** The variables that are set and name a file. */
export function secretFileVariables(env: NodeJS.ProcessEnv): string[] {
  return SECRETS.map((name) => `${name}_FILE`).filter((variable) => env[variable]);
}

/**
 * Reads the files that hold secrets.
 *
 * @param env - without empty values
 * @returns the secrets by their own name, such as JWT_SECRET; and for each file that can't be had what is wrong with it,
 *   in words that hold neither its content nor its path, for which somebody may have taken the secret itself
 */
export function readSecretFiles(env: NodeJS.ProcessEnv): { secrets: Map<string, string>; faults: Map<string, string> } {
  const secrets = new Map<string, string>();
  const faults = new Map<string, string>();
  for (const name of SECRETS) {
    const file = env[`${name}_FILE`];
    if (file === undefined) continue;
    try {
      if (env[name] !== undefined) throw new Error(`has to be unset where ${name} is set`);
      secrets.set(name, readSecret(file));
    } catch (error) {
      faults.set(name, `${name}_FILE ${error instanceof Error ? error.message : error}`);
    }
  }
  return { secrets, faults };
}

function readSecret(file: string): string {
  // Bytes that are no text would become others; and whoever verifies the tokens would have another secret.
  const text = decodeUtf8(readBytes(file));
  if (text === undefined) throw new Error('has to name a file of UTF-8 text');
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw new Error('has to name a file that is not empty');
  return secret;
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const [reason] = error instanceof Error ? error.message.split(',', 1) : [];
    throw new Error(`has to name a file that can be read: ${reason}`);
  }
}
