import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
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

/** Makes the server, without plugins. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { contract, log, trustProxy, requestTimeout = 10_000, keepAliveTimeout = 75_000, onUnreadable } = options;
  const unanswered = new WeakMap<Socket, Set<ServerResponse>>();
  const refuse = (error: { code?: string }, socket: Socket) => {
    const status = answerClientError(contract, log, error, socket, [...(unanswered.get(socket) ?? [])]);
    if (status) onUnreadable?.(status);
  };
  return fastify({
    loggerInstance: log,
    trustProxy: trustOf(trustProxy),
    serverFactory(handle) {
      const accept = limitUnanswered(handle, unanswered);
      const server = createHttpServer(
        {
          requestTimeout,
          headersTimeout: requestTimeout,
          connectionsCheckingInterval: Math.min(1_000, requestTimeout),
          keepAliveTimeout,
          requireHostHeader: false,
        },
        accept,
      );
      // All of them, as far as they fit into the bytes for a head: the plugin `framing` refuses too many.
      server.maxHeadersCount = 0;
      // RFC 9110, section 10.1.1: an unknown expectation may be ignored. Node would answer 417.
      server.on('checkExpectation', accept);
      server.on('connection', (socket) => {
        // Node remembers it from now on: a socket that has been reset no longer knows it.
        if (socket.remoteAddress === undefined) socket.destroy();
      });
      server.on('connect', ({ socket }) => {
        // Node has stopped listening for it.
        socket.on('error', () => {});
        refuse({ code: 'CONNECT' }, socket);
      });
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

/** One read of a socket can hold thousands of pipelined requests: Node parses all, and Fastify would handle them at once. */
function limitUnanswered(
  handle: RequestListener,
  unanswered: WeakMap<Socket, Set<ServerResponse>>,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { socket } = request;
    if (socket.destroyed) return;
    const responses = unanswered.get(socket) ?? watch(socket, unanswered);
    if (responses.size === MAX_UNANSWERED) return void socket.destroy();
    responses.add(response);
    response.once('close', () => responses.delete(response));
    handle(request, response);
  };
}

function watch(socket: Socket, unanswered: WeakMap<Socket, Set<ServerResponse>>): Set<ServerResponse> {
  const responses = new Set<ServerResponse>();
  unanswered.set(socket, responses);
  socket.once('close', () => {
    // Node closes only the response that it is sending: those behind it get a socket that is closed.
    for (const response of responses) if (!response.socket) response.assignSocket(new Socket().destroy());
  });
  return responses;
}
