import { isDeepStrictEqual } from 'node:util';
import type { FastifyBaseLogger } from 'fastify';
import { type Config, readConfig } from '../config/config.js';
import { secretFileVariables } from '../config/secret-files.js';
import type { DatabaseUrl } from '../database/connection/database-url.js';
import type { Database, NextConnection } from '../database/database.js';
import { ConfigError } from '../errors/config-error.js';
import { ExpectedError } from '../errors/expected-error.js';
import { type Peppers, readPeppers } from '../passwords/peppers.js';
import type { ReloadOutcome } from '../telemetry/metrics.js';
import type { AdminTokens } from '../tokens/admin-tokens.js';
import { readJwtSecret } from '../tokens/jwt-secret.js';
import type { TokenKeys } from '../tokens/tokens.js';

type ReloadOptions = {
  env: NodeJS.ProcessEnv;
  running: { config: Config; tokenKeys: TokenKeys };
  log: FastifyBaseLogger;
  database: Database;
  rotateKeys(keys: TokenKeys): Promise<void>;
  adminTokens: Pick<AdminTokens, 'replace'>;
  rotatePeppers(peppers: Peppers): void;
  onReloaded?: ((outcome: ReloadOutcome) => void) | undefined;
};

/** Creates the handler of SIGHUP: it re-reads secrets from their files, and applies all changes, or none at an error. */
export function createReload({
  env,
  running,
  log,
  database,
  rotateKeys,
  adminTokens,
  rotatePeppers,
  onReloaded,
}: ReloadOptions): () => Promise<void> {
  let { config, tokenKeys } = running;
  const files = secretFileVariables(env);
  if (config.jwtSecret === undefined && tokenKeys.secret !== undefined)
    files.push('the JWT secret beside the database');

  async function reload(): Promise<void> {
    const next = readConfig(env, { issuesTokens: true, again: true });
    const secret = await readJwtSecret({ ...next, databaseUrl: config.databaseUrl }, database);
    const nextKeys: TokenKeys = { signingKeys: next.signingKeys, secret, previousSecret: next.jwtSecretPrevious };
    const hasNewKeys = !isDeepStrictEqual(nextKeys, tokenKeys);
    const changed = [];
    const connection = isDeepStrictEqual(next.databaseUrl, config.databaseUrl)
      ? undefined
      : await connectTo(next.databaseUrl);
    let peppers: Peppers | undefined;
    try {
      // The database may refuse the old password already.
      if (!isDeepStrictEqual(next.peppers, config.peppers))
        peppers = await readPeppers(next.peppers, await (connection ?? database).findPeppers());
      if (hasNewKeys) await rotateKeys(nextKeys);
    } catch (error) {
      await connection?.discard();
      throw error;
    }
    if (connection) {
      connection.use();
      changed.push('the URL of the database');
    }
    if (hasNewKeys) {
      if (secret !== tokenKeys.secret) changed.push('the JWT secret');
      if (nextKeys.previousSecret !== tokenKeys.previousSecret) changed.push('the previous JWT secret');
      if (!isDeepStrictEqual(nextKeys.signingKeys, tokenKeys.signingKeys)) changed.push('the signing keys');
    }
    if (!isDeepStrictEqual(next.adminTokens, config.adminTokens)) {
      adminTokens.replace(next.adminTokens);
      changed.push('the admin tokens');
    }
    if (peppers) {
      rotatePeppers(peppers);
      if (next.peppers.current !== config.peppers.current) changed.push('the pepper');
      if (next.peppers.previous !== config.peppers.previous) changed.push('the previous pepper');
    }
    config = next;
    tokenKeys = nextKeys;
    log.info(`SIGHUP: re-read ${files.join(', ')}; changed: ${changed.join(', ') || 'nothing'}`);
  }

  function connectTo(url: DatabaseUrl): Promise<NextConnection> {
    refuseOtherDatabase(config.databaseUrl, url);
    return database.connectTo(url).catch((error) => {
      throw error instanceof ExpectedError ? new ExpectedError(`DATABASE_URL_FILE: ${error.message}`) : error;
    });
  }

  return async () => {
    if (files.length === 0) return log.info('SIGHUP: nothing to re-read: no secret comes from a file');
    try {
      await reload();
      onReloaded?.('succeeded');
    } catch (error) {
      onReloaded?.('failed');
      log.error(`SIGHUP: nothing is changed: ${describeError(error)}`);
    }
  };
}

/** Reloads at each SIGHUP, once at a time: those that come during a reload are one more. */
export async function reloadAt(hangups: AsyncIterable<unknown>, reload: () => Promise<void>): Promise<void> {
  let isWanted = false;
  let isRunning = false;
  const run = async () => {
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      await reload();
    }
    isRunning = false;
  };
  for await (const _ of hangups) {
    isWanted = true;
    if (!isRunning) run();
  }
}

function describeError(error: unknown): string {
  if (error instanceof ConfigError) return error.faults.join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** @throws ExpectedError */
function refuseOtherDatabase(running: DatabaseUrl, next: DatabaseUrl): void {
  const isPostgresql = running.provider === 'postgresql' && next.provider === 'postgresql';
  if (isPostgresql && new URL(running.href).pathname === new URL(next.href).pathname) return;
  const change = isPostgresql ? 'to another database' : `from ${running.provider} to ${next.provider}`;
  throw new ExpectedError(`DATABASE_URL_FILE: only a restart takes the service ${change}`);
}
