import fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify';
import type { Config } from './config/config.js';
import type { TracingConfig } from './config/tracing.js';
import type { Contract } from './contract/contract.js';
import type { Database } from './database/database.js';
import { handlers } from './generated/handlers.js';
import { requestBodyPlugin } from './http/body.js';
import { docsPlugin } from './http/docs.js';
import { stoppingPlugin } from './http/draining.js';
import { errorsPlugin } from './http/errors.js';
import { answerBadUrl, answerClientError } from './http/replies-outside-operations.js';
import { createRequestId } from './http/request-id.js';
import { responseHeadersPlugin } from './http/response-headers.js';
import { routesPlugin } from './http/routes.js';
import { unroutedPlugin } from './http/unrouted.js';
import { createAdmission } from './passwords/hash-queue.js';
import { createPasswordUpgrades } from './passwords/password-upgrades.js';
import { createPasswords, type Passwords } from './passwords/passwords.js';
import type { Metrics } from './telemetry/metrics.js';
import { requestLogPlugin } from './telemetry/request-log.js';
import { metricsPlugin } from './telemetry/request-metrics.js';
import type { TraceableServices } from './telemetry/traced-services.js';
import { expiredCountersPlugin } from './throttle/expired-counters.js';
import { createThrottle } from './throttle/throttle.js';
import { tokensPlugin } from './tokens/tokens.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on signs tokens, and keys the counters of failures, with another secret. */
    changeJwtSecret(secret: string): void;
  }
}

export type AppOptions = {
  contract: Contract;
  config: Config;
  database: Database;
  jwtSecret: string;
  passwords?: Passwords;
  /** Counts what happens; where there are none, nothing is counted. */
  metrics?: Metrics | undefined;
  logger?: FastifyServerOptions['logger'];
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Milliseconds in which a request has to arrive whole. */
  requestTimeout?: number;
  /** Milliseconds after a reply in which the next request has to begin; longer than a proxy keeps its connections. */
  keepAliveTimeout?: number;
};

/** Builds the service, not yet listening. Closing it leaves the database open: that is its opener's. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { contract, config, jwtSecret, metrics, logger = false, now = Date.now } = options;
  const { requestTimeout = 10_000, keepAliveTimeout = 75_000 } = options;
  const countUnreadable = (status: number | undefined) => {
    if (status) metrics?.requestUnreadable(status);
  };
  const app: FastifyInstance = fastify({
    logger,
    trustProxy: config.trustProxy,
    requestTimeout,
    keepAliveTimeout,
    // A reply that nobody reads.
    connectionTimeout: 2 * keepAliveTimeout,
    http: {
      headersTimeout: requestTimeout,
      connectionsCheckingInterval: Math.min(1_000, requestTimeout),
      requireHostHeader: false,
    },
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    requestIdHeader: false,
    genReqId: ({ headers }) => createRequestId(headers['x-request-id']?.toString()),
    // While it stops, what still comes in on an open connection is answered like everything before.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => countUnreadable(answerClientError(contract, app.log, error, socket)),
    frameworkErrors: (_error, request, reply) => countUnreadable(answerBadUrl(contract, request, reply)),
  });
  app.server.on('connect', (_request, socket) =>
    countUnreadable(answerClientError(contract, app.log, { code: 'CONNECT' }, socket)),
  );
  // RFC 9110, section 10.1.1 lets us ignore an expectation that we don't know; Node would answer 417.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));

  const unwatched = createAdmission(config.admission);
  const untraced = {
    database: options.database,
    passwords: options.passwords ?? createPasswords(config.hashing),
    admission: metrics?.watchAdmission(unwatched) ?? unwatched,
  };
  const { database, passwords, admission } = config.tracing
    ? await trace(app, untraced, config.tracing, options)
    : untraced;
  const throttle = createThrottle(database, config.budgets, jwtSecret, now);
  app.addHook('onClose', () => throttle.flush().catch((err) => app.log.warn({ err }, 'known addresses are lost')));
  const passwordUpgrades = createPasswordUpgrades(database.users, passwords, untraced.admission, app.log);
  app.addHook('onClose', () => passwordUpgrades.finished());

  await app.register(stoppingPlugin, { delay: config.shutdownDelaySeconds * 1_000 });
  await app.register(responseHeadersPlugin, { contract });
  await app.register(requestLogPlugin);
  if (metrics) await app.register(metricsPlugin, { metrics });
  await app.register(errorsPlugin, { contract });
  if (config.corsOrigins.length > 0) {
    const { corsPlugin } = await import('./http/cors.js');
    await app.register(corsPlugin, { contract, origins: config.corsOrigins });
  }
  await app.register(unroutedPlugin);
  await app.register(requestBodyPlugin);
  await app.register(tokensPlugin, { secret: jwtSecret, ttlSeconds: config.tokenTtlSeconds, now });
  app.decorate('changeJwtSecret', (secret: string) => {
    app.changeTokenSecret(secret);
    // As a restart would: counters that were keyed differently by each instance, depending on when it started, would give
    // a guesser a budget for each. So a rotation gives a fresh one once, and all instances agree afterwards.
    throttle.changeSecret(secret);
  });
  await app.register(docsPlugin, { contract });
  await app.register(expiredCountersPlugin, { counters: database.throttleCounters, now });
  await app.register(routesPlugin, {
    contract,
    handlers,
    services: {
      contract,
      database,
      passwords,
      passwordUpgrades,
      admission,
      throttle,
      stopping: app.stopping,
      issueToken: app.issueToken,
    },
  });
  return app;
}

/** Traces from here on: requests in the order of the hooks, so this comes first. Only here is what it takes loaded. */
async function trace(app: FastifyInstance, services: TraceableServices, config: TracingConfig, options: AppOptions) {
  const [{ startTracing }, { tracingPlugin }, { traceServices }] = await Promise.all([
    import('./telemetry/tracing.js'),
    import('./telemetry/request-spans.js'),
    import('./telemetry/traced-services.js'),
  ]);
  const tracing = await startTracing(config, options.contract.version, app.log);
  await app.register(tracingPlugin, { tracing });
  return traceServices(services, options.config.databaseUrl.provider, tracing);
}
