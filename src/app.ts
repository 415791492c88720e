import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Config } from './config/config.js';
import type { Contract } from './contract/contract.js';
import { handlers } from './generated/handlers.js';
import { authenticationPlugin } from './http/authentication.js';
import { bodyPlugin } from './http/body.js';
import { clientAddressPlugin } from './http/client-address.js';
import { docsPlugin } from './http/docs.js';
import { drainingPlugin } from './http/draining.js';
import { errorsPlugin } from './http/errors.js';
import { framingPlugin } from './http/framing.js';
import { loadSheddingPlugin } from './http/load-shedding.js';
import { describeRequest, operationPlugin } from './http/operation.js';
import { responseHeadersPlugin } from './http/response-headers.js';
import { routesPlugin } from './http/routes.js';
import { createServer, type ServerOptions } from './http/server.js';
import type { Services } from './services.js';
import { authenticate, authenticateAdmin } from './sessions/authenticate.js';
import { endedRequestsPlugin } from './telemetry/ended-requests.js';
import type { Metrics } from './telemetry/metrics.js';
import type { Tracing } from './telemetry/tracing.js';
import { clockTask } from './upkeep/clock.js';
import { expiredRowsTask } from './upkeep/expired-rows.js';
import { upkeepPlugin } from './upkeep/upkeep.js';

export type AppOptions = Pick<ServerOptions, 'requestTimeout' | 'keepAliveTimeout'> & {
  contract: Contract;
  config: Pick<Config, 'trustProxy' | 'shutdownDelaySeconds' | 'corsOrigins'>;
  services: Services;
  log: FastifyBaseLogger;
  metrics?: Metrics | undefined;
  tracing?: Tracing | undefined;
  /** Milliseconds since the epoch. */
  now?: () => number;
};

/** Builds the service, not yet listening. Closing it does not close `services`. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { contract, config, services, metrics, tracing, now = Date.now } = options;
  const { trustProxy, corsOrigins } = config;
  const { database } = services;
  const app = createServer({ ...options, trustProxy, onUnreadable: metrics?.requestUnreadable });

  await app.register(clientAddressPlugin);
  if (tracing) {
    const { requestSpansPlugin } = await import('./telemetry/request-spans.js');
    await app.register(requestSpansPlugin, { tracing, addressOf: ({ clientAddress }) => clientAddress });
  }
  await app.register(drainingPlugin, { delay: config.shutdownDelaySeconds * 1_000 });
  await app.register(operationPlugin);
  await app.register(responseHeadersPlugin, { contract });
  await app.register(endedRequestsPlugin, { describe: describeRequest, onEnded: metrics?.requestEnded });
  await app.register(errorsPlugin, { contract });
  if (corsOrigins.length > 0) {
    const { corsPlugin } = await import('./http/cors.js');
    await app.register(corsPlugin, { contract, origins: corsOrigins });
  }
  await app.register(framingPlugin);
  await app.register(authenticationPlugin, {
    contract,
    authenticators: {
      userToken: (token) => authenticate(token, services),
      adminToken: async (token) => authenticateAdmin(token, services.adminTokens),
    },
  });
  await app.register(loadSheddingPlugin, services);
  await app.register(bodyPlugin);
  await app.register(docsPlugin, { contract });
  await app.register(upkeepPlugin, {
    tasks: [
      clockTask(
        () => database.clockWarning(Date.now),
        (warning) => app.log.warn(warning),
      ),
      expiredRowsTask('sessions', database.sessions, now),
      expiredRowsTask('one-time tokens', database.oneTimeTokens, now),
      expiredRowsTask('counters', database.throttleCounters, now),
    ],
  });
  await app.register(routesPlugin, { contract, handlers, services: { ...services, draining: app.draining } });
  return app;
}
