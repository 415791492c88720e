import fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify';
import type { Config } from './config.js';
import type { Contract } from './contract.js';
import type { Database } from './database.js';
import { answerBadUrl, answerClientError } from './framework-errors.js';
import { handlers } from './generated/handlers.js';
import { createPasswordUpgrades } from './password-upgrades.js';
import { createPasswords } from './passwords.js';
import { docsPlugin } from './plugins/docs.js';
import { errorsPlugin } from './plugins/errors.js';
import { requestBodyPlugin } from './plugins/request-body.js';
import { requestLogPlugin } from './plugins/request-log.js';
import { responseHeadersPlugin } from './plugins/response-headers.js';
import { routesPlugin } from './plugins/routes.js';
import { stoppingPlugin } from './plugins/stopping.js';
import { tokensPlugin } from './plugins/tokens.js';
import { createRequestId } from './request-id.js';

export type AppOptions = {
  contract: Contract;
  config: Pick<Config, 'hashing' | 'tokenTtlSeconds' | 'trustProxy'>;
  database: Database;
  jwtSecret: string;
  logger?: FastifyServerOptions['logger'];
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Milliseconds in which a request has to arrive whole. */
  requestTimeout?: number;
};

/** Builds the service, not yet listening. Closing it leaves the database open: that is its opener's. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { contract, config, database, jwtSecret, logger = false, now = Date.now, requestTimeout = 10_000 } = options;
  const app = fastify({
    logger,
    trustProxy: config.trustProxy,
    requestTimeout,
    http: { headersTimeout: requestTimeout, connectionsCheckingInterval: Math.min(1_000, requestTimeout) },
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    requestIdHeader: false,
    genReqId: ({ headers }) => createRequestId(headers['x-request-id']?.toString()),
    // While it stops, what still comes in on an open connection is answered like everything before.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => answerClientError(contract, error, socket),
    frameworkErrors: (_error, request, reply) => answerBadUrl(contract, request, reply),
  });
  // RFC 9110, section 10.1.1 lets us ignore an expectation that we don't know; Node would answer 417.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));

  const passwords = createPasswords(config.hashing);
  const passwordUpgrades = createPasswordUpgrades(database.users, passwords, app.log);
  app.addHook('onClose', () => passwordUpgrades.finished());

  await app.register(stoppingPlugin);
  await app.register(responseHeadersPlugin, { contract });
  await app.register(errorsPlugin, { contract });
  await app.register(requestLogPlugin);
  await app.register(requestBodyPlugin);
  await app.register(tokensPlugin, { secret: jwtSecret, ttlSeconds: config.tokenTtlSeconds, now });
  await app.register(docsPlugin, { contract });
  await app.register(routesPlugin, {
    contract,
    handlers,
    services: { contract, database, passwords, passwordUpgrades, issueToken: app.issueToken },
  });
  return app;
}
