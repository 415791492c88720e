import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { decodeUtf8 } from '../text/utf8.js';
import { SECRETS } from './variables.js';

/** Bytes. More is not a secret: a file that was named by mistake, or one without an end. */
export const MAX_BYTES = 65_536;

/** The variables that are set and name a file. */
export function secretFileVariables(env: NodeJS.ProcessEnv): string[] {
  return SECRETS.map(({ file }) => file).filter((variable) => env[variable]);
}

/**
 * Reads the files that hold secrets.
 *
 * @param env - without empty values
 * @param again - whether they have been read before: a pipe is empty by then, or would keep the reader waiting
 * @returns the secrets by name, such as JWT_SECRET, and an error for each file that can't be read; errors quote neither
 *   the content nor the path, which may be the secret itself by mistake
 */
export function readSecretFiles(
  env: NodeJS.ProcessEnv,
  again: boolean,
): { secrets: Map<string, string>; faults: Map<string, string> } {
  const secrets = new Map<string, string>();
  const faults = new Map<string, string>();
  for (const { name, file: variable, mayBeEmpty } of SECRETS) {
    const file = env[variable];
    if (file === undefined) continue;
    try {
      if (env[name] !== undefined) throw new Error(`must be unset where ${name} is set`);
      const secret = readText(file, again);
      if (secret !== '') secrets.set(name, secret);
      else if (!mayBeEmpty) throw new Error(EMPTY);
    } catch (error) {
      faults.set(name, `${variable} ${error instanceof Error ? error.message : error}`);
    }
  }
  return { secrets, faults };
}

/** @throws Error that quotes neither the content nor the path */
export function readSecret(file: string): string {
  const secret = readText(file, false);
  if (secret === '') throw new Error(EMPTY);
  return secret;
}

const EMPTY = 'must name a file that is not empty';

function readText(file: string, again: boolean): string {
  // Decoding would replace other bytes: a verifier that reads the file would have another secret.
  const text = decodeUtf8(readBytes(file, again));
  if (text === undefined) throw new Error('must name a file of UTF-8 text');
  return text.replace(/\r?\n$/, '');
}

function readBytes(file: string, again: boolean): Buffer {
  const bytes = openAndRead(file, again);
  if (bytes.length > MAX_BYTES) throw new Error(`must name a file of at most ${MAX_BYTES} bytes`);
  return bytes;
}

/** Reads at most one byte more than a secret may have. */
function openAndRead(file: string, again: boolean): Buffer {
  const bytes = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  try {
    // Without O_NONBLOCK, opening a pipe waits for its writer.
    const fd = openSync(file, again ? constants.O_RDONLY | constants.O_NONBLOCK : constants.O_RDONLY);
    try {
      if (again && !fstatSync(fd).isFile()) throw new Error('only a regular file can be read again');
      for (let read = 1; read > 0 && length < bytes.length; length += read)
        read = readSync(fd, bytes, { offset: length });
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const [reason] = error instanceof Error ? error.message.split(',', 1) : [];
    throw new Error(`must name a file that can be read: ${reason}`);
  }
  return bytes.subarray(0, length);
}
