import type { IncomingMessage } from 'node:http';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Contract, Operation } from '../contract/contract.js';
import { ClientGone } from '../errors/client-gone.js';
import { createProxies, type TrustProxy } from './connections/client-address.js';
import { type Connections, createConnections } from './connections/connections.js';
import { answerBadUrl, answerClientError } from './replies-outside-operations.js';
import { createRequestId } from './request-id.js';

export type ServerOptions = {
  contract: Contract;
  log: FastifyBaseLogger;
  trustProxy: TrustProxy;
  /** Milliseconds for a whole request. */
  requestTimeout?: number;
  /** Milliseconds until the next request on a connection; longer than a proxy keeps idle connections. */
  keepAliveTimeout?: number;
  /** Called with the status of replies that reach no hook. */
  onUnreadable?: ((status: number) => void) | undefined;
  /** Called for requests that reach no hook because the client has hung up. */
  onHungUp?: ((hungUp: HungUp) => void) | undefined;
};

/** As the log and the metrics record it. */
type HungUp = { operationId?: string; status: undefined; milliseconds: number; ip: string; outcome: string };

export type HttpServer = {
  app: FastifyInstance;
  connections: Connections;
  /** The address of the client that has sent a request. */
  addressOf(request: IncomingMessage): string;
};

/** Makes the server, without plugins, and the connections that it will have. */
export function createServer(options: ServerOptions): HttpServer {
  const { contract, log, trustProxy, requestTimeout = 10_000, keepAliveTimeout = 75_000 } = options;
  const { onUnreadable, onHungUp } = options;
  const count = (status: number | undefined) => {
    if (status) onUnreadable?.(status);
  };
  const proxies = createProxies(trustProxy);
  const connections = createConnections(({ request, address, milliseconds }) => {
    const operation = findOperation(contract, request);
    const ip = proxies.clientAddress(request, address);
    const hungUp = { ...(operation && { operationId: operation.id }), milliseconds, ip, outcome: ClientGone.outcome };
    const requestId = createRequestId(request.headers['x-request-id']?.toString());
    log.info({ requestId, method: request.method, ...hungUp }, 'hung up');
    onHungUp?.({ ...hungUp, status: undefined });
  });
  const addressOf = (request: IncomingMessage) => {
    const { socket } = request;
    // Fastify's injected requests have no connection.
    return proxies.clientAddress(request, connections.of(socket)?.address ?? socket.remoteAddress ?? '');
  };
  const app: FastifyInstance = fastify({
    loggerInstance: log,
    // For X-Forwarded-Proto and -Host.
    trustProxy: trustProxy !== false && proxies.isTrusted,
    serverFactory(handle) {
      const server = connections.serve(
        {
          requestTimeout,
          headersTimeout: requestTimeout,
          connectionsCheckingInterval: Math.min(1_000, requestTimeout),
          keepAliveTimeout,
          requireHostHeader: false,
        },
        handle,
      );
      // Closes a connection whose reply nobody reads.
      return server.setTimeout(2 * keepAliveTimeout);
    },
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    requestIdHeader: false,
    genReqId: ({ headers }) => createRequestId(headers['x-request-id']?.toString()),
    // While draining, requests on open connections are answered as before.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => count(answerClientError(contract, log, error, connections.of(socket))),
    frameworkErrors: (_error, request, reply) => count(answerBadUrl(contract, request, reply, addressOf(request.raw))),
  });
  app.server.on('connect', ({ socket }) => {
    count(answerClientError(contract, log, { code: 'CONNECT' }, connections.of(socket)));
  });
  return { app, connections, addressOf };
}

/** The operation that a request would have reached. Its path has no parameter, as none has that is worth counting. */
function findOperation({ operations }: Contract, { method, url = '' }: IncomingMessage): Operation | undefined {
  const [path] = url.split('?', 1);
  return operations.find((operation) => operation.method === method && operation.path === path);
}
