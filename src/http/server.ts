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
  /** Milliseconds in which a request has to arrive whole. */
  requestTimeout?: number;
  /** Milliseconds after a reply in which the next request has to begin; longer than a proxy keeps its connections. */
  keepAliveTimeout?: number;
  /** Told the status of what was answered without reaching a hook. */
  onUnreadable?: ((status: number) => void) | undefined;
};

/** Makes the server, with no plugins yet. */
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
    // While it drains, what still comes in on an open connection is answered like everything before.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => count(answerClientError(contract, log, error, socket)),
    frameworkErrors: (_error, request, reply) => count(answerBadUrl(contract, request, reply)),
  });
  app.server.on('connect', (_request, socket) => count(answerClientError(contract, log, { code: 'CONNECT' }, socket)));
  // RFC 9110, section 10.1.1 lets us ignore an expectation that we don't know; Node would answer 417.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  return app;
}
