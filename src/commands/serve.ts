import { on } from 'node:events';
import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../app.js';
import { readConfig } from '../config/config.js';
import { loadContract } from '../contract/contract.js';
import { redactedUrl } from '../database/connection/database-url.js';
import { DatabaseReplaced } from '../database/connection/sqlite-file.js';
import { migrate } from '../database/migrations/migrate.js';
import { EXIT } from '../errors/exit-codes.js';
import { ExpectedError } from '../errors/expected-error.js';
import { openServices } from '../services.js';
import type { SessionLifetimes } from '../sessions/sessions.js';
import { createLog } from '../telemetry/log.js';
import { type MetricsServer, serveMetrics } from '../telemetry/metrics-server.js';
import { keepHeapSmall } from './heap.js';
import { createReload, reloadAt } from './reload.js';
import { VERSION } from './version.js';

/** Milliseconds for the requests in flight at a stop. */
const STOP_TIMEOUT = 20_000;
/** Longer ones get a warning where sessions are renewed. */
const LONG_TOKEN_TTL_SECONDS = 3_600;
/** Milliseconds in which two SIGINT under npm are one: the terminal sends it to node, and npm forwards it. */
const SAME_SIGINT = 250;

/**
 * Applies the migrations and serves until SIGTERM or SIGINT. Resolves when it listens.
 *
 * @param env - the environment variables; SIGHUP reads the files that they name again
 * @returns the URL
 * @throws ConfigError, DatabaseUnavailable, ExpectedError
 */
export async function serve(env: NodeJS.ProcessEnv): Promise<string> {
  // A SIGHUP during the start is handled after it.
  const hangups = on(process, 'SIGHUP');
  const started = exitAtSignals();
  const config = readConfig(env, { issuesTokens: true });
  keepHeapSmall();
  const contract = loadContract();
  const metrics = config.metrics && (await import('../telemetry/metrics.js')).createMetrics(contract);
  const log = await createLog(config.logLevel, undefined, metrics?.logLineDropped);
  const warn = (message: string) => log.warn(message);
  const onCreated = (file: string) => log.info(`created the database ${file}`);
  for (const name of await migrate(config.databaseUrl, { warn, onCreated })) log.info(`applied migration ${name}`);
  const database = redactedUrl(config.databaseUrl);
  log.info({ version: VERSION, database, settings: config.settings }, `sessions-api ${VERSION} on ${database}`);
  for (const warning of config.warnings) warn(warning);
  const tracing =
    config.tracing &&
    (await (await import('../telemetry/tracing.js')).startTracing(config.tracing, contract.version, log));
  const replaced = new AbortController();
  const onDatabaseReplaced = (error: DatabaseReplaced) => replaced.abort(error);
  const observed = { contract, log, metrics, tracing };
  warnOfLongTokens(config, warn);
  if (config.adminTokens.length === 0) log.info('ADMIN_TOKENS is not set: the operations for an application reply 401');
  const services = await openServices({ ...config, ...observed, onDatabaseReplaced });
  const app = await buildApp({ ...observed, config, services }).catch(async (error) => {
    await services.close();
    throw error;
  });
  let metricsServer: MetricsServer | undefined;
  const close = async () => {
    await app.close();
    await services.close();
    await tracing?.stop();
    // Last, so that a scrape sees how the service stops.
    metricsServer?.close();
  };
  // Before the log says that it listens: a signal may follow at once.
  started();
  const { uninstall } = stopOnSignal(app, close, config.shutdownDelaySeconds * 1_000, replaced.signal);
  const { tokens, adminTokens, passwords } = services;
  const reload = createReload({
    env,
    running: { config, tokenKeys: tokens.keys() },
    log,
    database: services.database,
    rotateKeys: tokens.rotateKeys,
    rotatePeppers: passwords.rotatePeppers,
    adminTokens,
    onReloaded: metrics?.reloaded,
  });
  reloadAt(hangups, reload);
  try {
    if (metrics && config.metrics) {
      const listening = serveMetrics(metrics.registry, config.metrics);
      metricsServer = await orCannotListen('METRICS_HOST and METRICS_PORT', listening);
    }
    const url = await orCannotListen('HOST and PORT', app.listen({ host: config.host, port: config.port }));
    if (metricsServer) app.log.info(`metrics at ${metricsServer.url}`);
    return url;
  } catch (error) {
    uninstall();
    await close();
    throw error;
  }
}

/** Renewal is what lets tokens be short: until they expire, other services accept those of ended sessions. */
function warnOfLongTokens(
  { tokenTtlSeconds, refreshTokenTtlSeconds }: SessionLifetimes,
  warn: (message: string) => void,
): void {
  if (refreshTokenTtlSeconds === undefined || tokenTtlSeconds <= LONG_TOKEN_TTL_SECONDS) return;
  warn(`TOKEN_TTL_SECONDS is ${tokenTtlSeconds}: since sessions are renewed, set it to an hour or less`);
}

async function orCannotListen<T>(variables: string, listening: Promise<T>): Promise<T> {
  try {
    return await listening;
  } catch (error) {
    if (error instanceof Error && 'syscall' in error)
      throw new ExpectedError(`${variables}: ${error.message}`, EXIT.OSERR);
    throw error;
  }
}

/** As process 1 Node ignores signals by default. Returns a function that removes the handlers. */
function exitAtSignals(): () => void {
  const die = (_signal: string, number: number) => process.exit(128 + number);
  const signals = process.pid === 1 ? (['SIGTERM', 'SIGINT'] as const) : [];
  for (const signal of signals) process.on(signal, die);
  return () => {
    for (const signal of signals) process.off(signal, die);
  };
}

/**
 * @param delay - milliseconds until the service stops listening
 * @param replaced - aborts with DatabaseReplaced, which stops the service too
 */
function stopOnSignal(app: FastifyInstance, close: () => Promise<void>, delay: number, replaced: AbortSignal) {
  const underNpm = process.env.npm_lifecycle_event !== undefined;
  let lastSigint = Number.NEGATIVE_INFINITY;
  process.on('SIGINT', () => {
    const now = performance.now();
    if (underNpm && now - lastSigint < SAME_SIGINT) return;
    lastSigint = now;
    process.emit('SIGTERM', 'SIGTERM');
  });
  const options = { delay: delay + STOP_TIMEOUT, logger: app.log, skip: ['SIGINT' as const, 'SIGHUP' as const] };
  let stopping = false;
  const running = closeWithGrace(options, async ({ signal, err }) => {
    stopping = true;
    if (err) app.log.fatal({ err }, err.message);
    if (signal) app.log.info('stopping: finishing the requests in flight');
    await close();
    if (replaced.reason instanceof DatabaseReplaced) process.exit(replaced.reason.exitCode);
  });
  const stop = () => {
    app.log.fatal(String(replaced.reason.message));
    if (!stopping) running.close();
  };
  if (replaced.aborted) stop();
  else replaced.addEventListener('abort', stop, { once: true });
  return running;
}
