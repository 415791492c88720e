import { readFileSync } from 'node:fs';
import { decodeUtf8 } from '../text/utf8.js';

/** Variables whose value may be in a file, which NAME_FILE names. */
const SECRETS = ['DATABASE_URL', 'JWT_SECRET', 'JWT_KEYS', 'BCRYPT_PEPPER'] as const;

/** The variables that are set and name a file. */
export function secretFileVariables(env: NodeJS.ProcessEnv): string[] {
  return SECRETS.map((name) => `${name}_FILE`).filter((variable) => env[variable]);
}

/**
 * Reads the files that hold secrets.
 *
 * @param env - without empty values
 * @returns the secrets by name, such as JWT_SECRET, and an error for each file that can't be read; errors quote neither
 *   the content nor the path, which may be the secret itself by mistake
 */
export function readSecretFiles(env: NodeJS.ProcessEnv): { secrets: Map<string, string>; faults: Map<string, string> } {
  const secrets = new Map<string, string>();
  const faults = new Map<string, string>();
  for (const name of SECRETS) {
    const file = env[`${name}_FILE`];
    if (file === undefined) continue;
    try {
      if (env[name] !== undefined) throw new Error(`must be unset where ${name} is set`);
      secrets.set(name, readSecret(file));
    } catch (error) {
      faults.set(name, `${name}_FILE ${error instanceof Error ? error.message : error}`);
    }
  }
  return { secrets, faults };
}

/** @throws Error that quotes neither the content nor the path */
export function readSecret(file: string): string {
  // Decoding would replace other bytes: a verifier that reads the file would have another secret.
  const text = decodeUtf8(readBytes(file));
  if (text === undefined) throw new Error('must name a file of UTF-8 text');
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw new Error('must name a file that is not empty');
  return secret;
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const [reason] = error instanceof Error ? error.message.split(',', 1) : [];
    throw new Error(`must name a file that can be read: ${reason}`);
  }
}
