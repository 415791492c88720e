import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, readFile, rm } from 'node:fs/promises';
import type { DatabaseUrl } from '../database/connection/database-url.js';
import type { Database } from '../database/database.js';
import type { Users } from '../database/users.js';
import { EXIT } from '../errors/exit-codes.js';
import { ExpectedError } from '../errors/expected-error.js';
import { IoFailure } from '../errors/io-failure.js';
import { createPrivateFile, warnIfReadable } from '../files/private-file.js';
import { decodeUtf8 } from '../text/utf8.js';
import type { SigningKey } from './jwk-set.js';

/** RFC 7518, section 3.2: a key at least as long as the hash that HS256 makes. */
export const JWT_SECRET_MIN_BYTES = 32;

export type JwtSecretOptions = {
  /** Undefined where none is set. */
  jwtSecret: string | undefined;
  /** Verifies too, while secrets rotate. */
  jwtSecretPrevious?: string | undefined;
  /** Where there are keys, no secret is generated. */
  signingKeys: readonly SigningKey[];
  databaseUrl: DatabaseUrl;
};

const missing = (file: string) =>
  `${file} is missing, and users have tokens that were signed with it: restore it with the database, ` +
  `or write at least ${JWT_SECRET_MIN_BYTES} bytes of random text to it, after which all users have to log in again`;

/**
 * JWT_SECRET; on SQLite without it, a random secret that is generated once and kept beside the database.
 *
 * @param database - remembers that there is such a secret: a new one would silently invalidate all tokens
 * @param warn - told what the operator should change
 * @returns undefined where keys sign, and no token was ever signed with a secret of this database
 * @throws IoFailure, ExpectedError
 */
export async function readJwtSecret(
  { jwtSecret, signingKeys, databaseUrl }: JwtSecretOptions,
  { secrets, users }: Pick<Database, 'secrets'> & { users: Pick<Users, 'count'> },
  warn: (message: string) => void = () => {},
): Promise<string | undefined> {
  if (jwtSecret !== undefined) return jwtSecret;
  if (databaseUrl.provider !== 'sqlite') return undefined;
  const file = secretFileOf(databaseUrl.file);
  try {
    if (!existsSync(file)) {
      if (signingKeys.length > 0) return undefined;
      if ((await secrets.hasSecretBeside()) && (await users.count()) > 0)
        throw new ExpectedError(missing(file), EXIT.CONFIG);
      await generateSecret(file, databaseUrl.file);
    }
    await secrets.rememberSecretBeside();
    await warnIfReadable(file, 'the secret', warn);
    return await readSecretBeside(file);
  } catch (error) {
    if (error instanceof ExpectedError) throw error;
    throw new IoFailure('the JWT secret beside the database', error, EXIT.CONFIG);
  }
}

/**
 * Checks the secret beside an SQLite database as readJwtSecret reads it, and changes nothing.
 *
 * @param isNeeded - whether users have tokens that were signed with it
 * @throws IoFailure, ExpectedError
 */
export async function checkSecretBeside(database: string, isNeeded: boolean): Promise<void> {
  const file = secretFileOf(database);
  if (!existsSync(file)) {
    if (isNeeded) throw new ExpectedError(missing(file), EXIT.CONFIG);
    return;
  }
  await readSecretBeside(file).catch((error) => {
    throw error instanceof ExpectedError
      ? error
      : new IoFailure('the JWT secret beside the database', error, EXIT.CONFIG);
  });
}

const secretFileOf = (database: string) => `${database}.jwt-secret`;

async function readSecretBeside(file: string): Promise<string> {
  const bytes = await readFile(file);
  // Decoding would replace other bytes.
  const secret = decodeUtf8(bytes);
  if (secret !== undefined && bytes.length >= JWT_SECRET_MIN_BYTES) return secret;
  throw new ExpectedError(
    `${file} must hold at least ${JWT_SECRET_MIN_BYTES} bytes of UTF-8 text; remove it to generate a new one`,
    EXIT.CONFIG,
  );
}

/** A link is atomic: instances that start at once agree on one secret. */
async function generateSecret(file: string, database: string): Promise<void> {
  const candidate = `${file}.${randomUUID()}`;
  await createPrivateFile(candidate, database, randomBytes(32).toString('base64url'));
  try {
    await link(candidate, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(candidate);
  }
}
