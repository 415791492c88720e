import { readConfig } from '../config/config.js';
import { redactedUrl } from '../database/connection/database-url.js';
import { type Inspection, inspect } from '../database/migrations/migrate.js';
import { ConfigError } from '../errors/config-error.js';
import { readPeppers } from '../passwords/peppers.js';
import type { SigningKey } from '../tokens/jwk-set.js';
import { checkSecretBeside } from '../tokens/jwt-secret.js';
import { print } from './standard-output.js';
import { VERSION } from './version.js';

/**
 * Checks what `serve` depends on, and changes nothing: settings, where warnings count as errors, the files that they name, keys,
 * the database and the connection to it.
 *
 * @throws ConfigError, DatabaseUnavailable, another ExpectedError
 */
export async function check(env: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(env, { issuesTokens: true });
  if (config.warnings.length > 0) throw new ConfigError(config.warnings);
  const { databaseUrl, jwtSecret, signingKeys, peppers, settings } = config;
  const found = await inspect(databaseUrl, (message) => console.error(`warning: ${message}`));
  const secretIsBeside = databaseUrl.provider === 'sqlite' && jwtSecret === undefined;
  if (secretIsBeside)
    await checkSecretBeside(databaseUrl.file, signingKeys.length === 0 && found.needsSecretBeside === true);
  if (found.peppers) await readPeppers(peppers, found.peppers);
  const lines = [
    `version: ${VERSION}`,
    ...Object.entries(settings).map(([name, value]) => `setting: ${name}=${value}`),
    `database: ${redactedUrl(databaseUrl)}, ${describeDatabase(found)}`,
    `tokens: signed with ${describeSigner(signingKeys, secretIsBeside)}`,
  ];
  await print(`${lines.join('\n')}\n`);
}

function describeSigner([key]: SigningKey[], secretIsBeside: boolean): string {
  if (key) return `the key ${key.kid}`;
  return secretIsBeside ? 'the secret beside the database' : 'JWT_SECRET';
}

function describeDatabase({ missing, pending, encrypted }: Inspection): string {
  if (missing) return 'missing: serve creates it';
  const state = pending.length > 0 ? `serve applies ${pending.join(', ')}` : 'up to date';
  return encrypted === undefined ? state : `${encrypted ? 'TLS' : 'no TLS'}, ${state}`;
}
