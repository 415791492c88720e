import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import type { Contract } from '../contract/contract.js';
import { answerBadUrl, answerClientError } from './replies-outside-operations.js';
import { createRequestId } from './request-id.js';

export type ServerOptions = {
  contract: Contract;
  log: FastifyBaseLogger;
  trustProxy: NonNullable<FastifyServerOptions['trustProxy']>;
  /** Milliseconds for a whole request. */
  requestTimeout?: number;
  /** Milliseconds until the next request on a connection; longer than a proxy keeps idle connections. */
  keepAliveTimeout?: number;
  /** Called with the status of replies that reach no hook. */
  onUnreadable?: ((status: number) => void) | undefined;
};

/** Makes the server, without plugins. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { contract, log, trustProxy, requestTimeout = 10_000, keepAliveTimeout = 75_000, onUnreadable } = options;
  const count = (status: number | undefined) => {
    if (status) onUnreadable?.(status);
  };
  const app: FastifyInstance = fastify({
    loggerInstance: log,
    trustProxy,
    requestTimeout,
    keepAliveTimeout,
    // Closes a connection whose reply nobody reads.
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
    // While draining, requests on open connections are answered as before.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => count(answerClientError(contract, log, error, socket)),
    frameworkErrors: (_error, request, reply) => count(answerBadUrl(contract, request, reply)),
  });
  app.server.on('connect', (_request, socket) => count(answerClientError(contract, log, { code: 'CONNECT' }, socket)));
  // RFC 9110, section 10.1.1: an unknown expectation may be ignored. Node would answer 417.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  return app;
}
