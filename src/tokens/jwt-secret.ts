import { randomBytes } from 'node:crypto';
import { link, readFile, rm } from 'node:fs/promises';
import type { DatabaseUrl } from '../database/database-url.js';
import { createPrivateFile } from '../database/private-file.js';
import { ExpectedError } from '../errors/expected-error.js';

/** RFC 7518, section 3.2: a key at least as long as the hash that HS256 makes. */
export const JWT_SECRET_MIN_BYTES = 32;

export type JwtSecretOptions = {
  /** Undefined on SQLite where none is set. */
  jwtSecret: string | undefined;
  databaseUrl: DatabaseUrl;
};

/** JWT_SECRET; on SQLite without it, a random secret that is generated once and kept beside the database. */
export async function readJwtSecret({ jwtSecret, databaseUrl }: JwtSecretOptions): Promise<string> {
  if (jwtSecret !== undefined) return jwtSecret;
  if (databaseUrl.provider !== 'sqlite') throw new Error('JWT_SECRET must be set');
  const file = `${databaseUrl.file}.jwt-secret`;
  // A link is atomic: instances that start at once agree on one secret.
  const candidate = `${file}.${process.pid}`;
  await createPrivateFile(candidate, databaseUrl.file, randomBytes(32).toString('base64url'));
  try {
    await link(candidate, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(candidate);
  }
  const secret = await readFile(file, 'utf8');
  if (Buffer.byteLength(secret) >= JWT_SECRET_MIN_BYTES) return secret;
  throw new ExpectedError(`${file} must hold at least ${JWT_SECRET_MIN_BYTES} bytes; remove it to generate a new one`);
}
