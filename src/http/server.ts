import { createServer as createNodeServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Contract } from '../contract/contract.js';
import { clientAddressOf, type TrustProxy, trustOf } from './client-address.js';
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
};

/** Node's bytes for a request line and header fields. */
const MAX_HEAD = 16_384;
/** Requests of a connection that are not answered yet. One more destroys it. */
const MAX_UNANSWERED = 16;

type Unanswered = WeakMap<Socket, Set<ServerResponse>>;

/** Makes the server, without plugins. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { contract, log, trustProxy, requestTimeout = 10_000, keepAliveTimeout = 75_000, onUnreadable } = options;
  const unanswered: Unanswered = new WeakMap();
  const refuse = (error: { code?: string }, socket: Socket) => {
    const status = answerClientError(contract, log, error, socket, [...(unanswered.get(socket) ?? [])]);
    if (status) onUnreadable?.(status);
  };
  return fastify({
    loggerInstance: log,
    trustProxy: trustOf(trustProxy),
    serverFactory(handle) {
      const server = createNodeServer({
        requestTimeout,
        headersTimeout: requestTimeout,
        connectionsCheckingInterval: Math.min(1_000, requestTimeout),
        keepAliveTimeout,
        requireHostHeader: false,
      });
      // All of them, as far as they fit into the bytes for a head: the plugin `framing` refuses too many.
      server.maxHeadersCount = 0;
      server.on('connect', ({ socket }) => {
        // Node has stopped listening for it.
        socket.on('error', () => {});
        refuse({ code: 'CONNECT' }, socket);
      });
      handleBounded(server, handle, unanswered);
      // Closes a connection whose reply nobody reads.
      return server.setTimeout(2 * keepAliveTimeout);
    },
    clientErrorHandler: refuse,
    frameworkErrors(_error, request, reply) {
      answerBadUrl(contract, request, reply, clientAddressOf(request));
      onUnreadable?.(400);
    },
    // The contract's schemas bound them.
    routerOptions: { maxParamLength: MAX_HEAD },
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    requestIdHeader: false,
    genReqId: ({ headers }) => createRequestId(headers['x-request-id']?.toString()),
    // While draining, requests on open connections are answered as before.
    return503OnClosing: false,
  });
}

/** Handles requests at once. One read of a socket can hold thousands that are pipelined, all of which Node parses. */
function handleBounded(server: Server, handle: RequestListener, unanswered: Unanswered): void {
  server.on('connection', (socket) => {
    // Node remembers the address from now on: a socket that has been reset no longer knows it.
    if (socket.remoteAddress === undefined) return socket.destroy();
    const responses = new Set<ServerResponse>();
    unanswered.set(socket, responses);
    socket.once('close', () => {
      // Node closes only the response that it is sending. Those behind it get a socket that is closed: else the files that
      // they send would stay open.
      for (const response of responses) if (!response.socket) response.assignSocket(new Socket().destroy());
    });
  });
  const accept: RequestListener = (request, response) => {
    const responses = unanswered.get(request.socket);
    if (!responses || request.socket.destroyed) return;
    if (responses.size === MAX_UNANSWERED) return void request.socket.destroy();
    responses.add(response);
    response.once('close', () => responses.delete(response));
    handle(request, response);
  };
  server.on('request', accept);
  // RFC 9110, section 10.1.1: an unknown expectation may be ignored. Node would answer 417.
  server.on('checkExpectation', accept);
}
