import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import type { Config } from './config.js';

/**
 * The secret that tokens are signed with: JWT_SECRET, or on SQLite without it one that is made once at random and kept
 * beside the database.
 */
export async function readJwtSecret({ jwtSecret, databaseUrl }: Config): Promise<string> {
  if (jwtSecret !== undefined) return jwtSecret;
  if (databaseUrl.provider !== 'sqlite') throw new Error('JWT_SECRET has to be set');
  const file = `${databaseUrl.file}.jwt-secret`;
  // A link appears whole or not at all, so that instances which start at once agree on one secret.
  const candidate = `${file}.${process.pid}`;
  await writeFile(candidate, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true });
  try {
    await link(candidate, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(candidate);
  }
  return readFile(file, 'utf8');
}
