import { isDeepStrictEqual } from 'node:util';
import type { FastifyBaseLogger } from 'fastify';
import { type Config, readConfig } from '../config/config.js';
import { secretFileVariables } from '../config/secret-files.js';
import type { DatabaseUrl } from '../database/database-url.js';
import { ConfigError } from '../errors/config-error.js';
import { ExpectedError } from '../errors/expected-error.js';
import { readJwtSecret } from '../tokens/jwt-secret.js';

export type ReloadOptions = {
  env: NodeJS.ProcessEnv;
  /** What the service runs with. */
  running: { config: Config; jwtSecret: string };
  log: FastifyBaseLogger;
  /** Take what has changed into use. */
  rotateSecret(secret: string): void;
  /** @throws DatabaseUnavailable */
  reconnect(url: DatabaseUrl): Promise<void>;
};

/** What a file holds now can't be taken into use. */
class CannotChange extends ExpectedError {}

/**
 * Makes what SIGHUP does: it reads the secrets again, as a start would, from the files that hold them. All that has
 * changed is taken into use, or, where anything is wrong, nothing is.
 */
export function createReload({ env, running, log, ...change }: ReloadOptions): () => Promise<void> {
  let { config, jwtSecret } = running;
  const files = secretFileVariables(env);
  if (config.jwtSecret === undefined) files.push('the JWT secret beside the database');

  async function reload(): Promise<void> {
    const next = readConfig(env, { issuesTokens: true });
    const nextSecret = await readJwtSecret({ ...next, databaseUrl: config.databaseUrl });
    const changed = [];
    if (!isDeepStrictEqual(next.databaseUrl, config.databaseUrl)) {
      refuseOtherDatabase(config.databaseUrl, next.databaseUrl);
      await change.reconnect(next.databaseUrl).catch((error) => {
        throw error instanceof ExpectedError ? new CannotChange(`DATABASE_URL_FILE: ${error.message}`) : error;
      });
      changed.push('the URL of the database');
    }
    if (nextSecret !== jwtSecret) {
      change.rotateSecret(nextSecret);
      changed.push('the JWT secret');
    }
    if (next.hashing.bcryptPepper !== config.hashing.bcryptPepper) {
      log.warn('SIGHUP: BCRYPT_PEPPER_FILE has changed, which takes a restart');
    }
    config = { ...next, hashing: config.hashing };
    jwtSecret = nextSecret;
    log.info(`SIGHUP: re-read ${files.join(', ')}; changed: ${changed.join(', ') || 'nothing'}`);
  }

  return async () => {
    if (files.length === 0) return log.info('SIGHUP: no secret comes from a file, so nothing is re-read');
    try {
      await reload();
    } catch (error) {
      log.error(
        `SIGHUP: nothing is changed: ${error instanceof ConfigError ? error.faults.join('; ') : messageOf(error)}`,
      );
    }
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** @throws CannotChange */
function refuseOtherDatabase(running: DatabaseUrl, next: DatabaseUrl): void {
  if (running.provider === 'postgresql' && next.provider === 'postgresql') {
    if (new URL(running.href).pathname === new URL(next.href).pathname) return;
    throw new CannotChange('DATABASE_URL_FILE: only a restart takes the service to another database');
  }
  const kinds = `${running.provider} to ${next.provider}`;
  throw new CannotChange(`DATABASE_URL_FILE: only a restart takes the service from ${kinds}`);
}
