import { generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { chmod, chown, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { MAX_BYTES, readSecret } from '../../config/secret-files.js';
import { ConfigError } from '../../errors/config-error.js';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { IoFailure } from '../../errors/io-failure.js';
import { createPrivateFile } from '../../files/private-file.js';
import { type Algorithm, jwksIn, parseJwkSet, type SigningKey } from '../../tokens/jwk-set.js';

/** A private JWK, and what the next steps of a rotation depend on: in seconds since the epoch, as RFC 7519 has times. */
export type StoredJwk = JsonWebKey & {
  /** When it was added to the file. */
  added_at?: number;
  /** When another key began to sign in its place. */
  retired_at?: number;
  /** The longest lifetime of tokens, in seconds, that a command has seen while the key signed. */
  token_ttl_seconds?: number;
};

export type StoredKey = SigningKey & { jwk: StoredJwk };

const VARIABLE = 'JWT_KEYS_FILE';

export function keysFileOf(env: NodeJS.ProcessEnv): string {
  const file = env[VARIABLE];
  if (!file) throw new ConfigError([`${VARIABLE} must be set: it names the file of the keys`]);
  return file;
}

/** @throws ConfigError where the file can't be read */
export function readKeys(file: string): StoredKey[] {
  try {
    const text = readSecret(file);
    const jwks = jwksIn(text);
    return parseJwkSet(text).map((key, index) => ({ ...key, jwk: jwks[index] ?? {} }));
  } catch (error) {
    throw new ConfigError([`${VARIABLE} ${error instanceof Error ? error.message : error}`]);
  }
}

export function keyNamed(keys: StoredKey[], kid: string): StoredKey {
  const key = keys.find((candidate) => candidate.kid === kid);
  if (!key) throw new ExpectedError(`there is no key ${kid}: see sessions-api keys list`, EXIT.DATAERR);
  return key;
}

/** @param algorithm - the one that the key is for */
export async function generateJwk(algorithm: Algorithm, now: number): Promise<StoredJwk> {
  return { ...(await generatePrivateKey(algorithm)).export({ format: 'jwk' }), alg: algorithm, added_at: now };
}

async function generatePrivateKey(algorithm: Algorithm): Promise<KeyObject> {
  const generate = promisify(generateKeyPair);
  if (algorithm === 'ES256') return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
  if (algorithm === 'EdDSA') return (await generate('ed25519')).privateKey;
  return (await generate('rsa', { modulusLength: 2048 })).privateKey;
}

/** Creates the file, which must not exist. */
export async function createKeysFile(file: string, jwks: StoredJwk[]): Promise<void> {
  if (!(await createPrivateFile(file, file, textOf(jwks)).catch(cannotWrite(file))))
    throw new ExpectedError(`${file} exists: keys add adds a key to it`, EXIT.CANTCREAT);
}

/**
 * Replaces the file in one step: whoever reads it gets the old keys or the new ones.
 *
 * @param change - makes the new keys of those that are in the file; where it throws, nothing changes
 * @returns the new keys
 */
export async function changeKeys(
  file: string,
  change: (keys: StoredKey[]) => StoredJwk[] | Promise<StoredJwk[]>,
): Promise<StoredKey[]> {
  // Throws where there are none to change.
  readKeys(file);
  const target = await realpath(file);
  // One name, taken before the keys are read: two commands at once would lose the change of one.
  const next = `${target}.next`;
  if (!(await createPrivateFile(next, target).catch(cannotWrite(next)))) {
    throw new ExpectedError(
      `${next} exists: another command changes the keys, or was killed; then remove it`,
      EXIT.TEMPFAIL,
    );
  }
  try {
    const text = textOf(await change(readKeys(file)));
    await writeFile(next, text, { flush: true }).catch(cannotWrite(next));
    const changed = readKeys(next);
    // The service may read it by its group.
    const { uid, gid, mode } = await stat(target);
    await chown(next, uid, gid).catch(cannotWrite(next));
    await chmod(next, mode).catch(cannotWrite(next));
    await rename(next, target).catch(cannotWrite(target));
    return changed;
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

function textOf(keys: StoredJwk[]): string {
  const text = `${JSON.stringify({ keys }, undefined, 2)}\n`;
  if (text.length > MAX_BYTES)
    throw new ExpectedError(`the file would have more than ${MAX_BYTES} bytes: remove old keys first`, EXIT.DATAERR);
  return text;
}

function cannotWrite(file: string): (error: unknown) => never {
  return (error) => {
    throw new IoFailure(`${file} can’t be written`, error, EXIT.CANTCREAT);
  };
}
