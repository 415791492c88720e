import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { type Contract, findReply } from '../contract/contract.js';
import { createRequestId } from './request-id.js';
import { responseHeaders } from './response-headers.js';

/** Errors of Node's HTTP parser whose status is not 400. */
const STATUSES: { [code: string]: number } = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** Milliseconds for the client to read the reply: a connection that is closed with unread bytes is reset. */
const LINGER = 500;

/** Answers a request whose URL can't be decoded with 400. Fastify runs no hooks for it. */
export function answerBadUrl(contract: Contract, request: FastifyRequest, reply: FastifyReply, ip: string): void {
  const { headers, body } = replyOutsideOperations(contract, 400, request.id);
  for (const [name, value] of headers) reply.header(name, value);
  request.log.info({ status: 400, ip }, 'answered');
  reply.code(400).send(body);
}

/**
 * Answers what can't be read as HTTP, and closes the connection. Beside other requests, which may be answered later, only closes
 * it. Returns the status that was sent.
 *
 * @param unanswered - the responses of the connection that are not sent yet
 */
export function answerClientError(
  contract: Contract,
  log: FastifyBaseLogger,
  { code = '' }: { code?: string },
  socket: Socket,
  unanswered: readonly ServerResponse[],
): number | undefined {
  // What follows `Connection: close` is ignored.
  if (!socket.writable || code === 'HPE_CLOSED_CONNECTION') return undefined;
  // The error is in the body of the only request, or in the next one.
  const isAlone = unanswered.every(({ req, headersSent }) => !req.complete && !headersSent);
  if (!isAlone) return void socket.destroy();
  const status = STATUSES[code] ?? 400;
  const requestId = createRequestId(undefined);
  const { headers, body } = replyOutsideOperations(contract, status, requestId);
  log.info({ requestId, status, code, ip: socket.remoteAddress }, 'answered');
  headers.push(['Content-Length', String(Buffer.byteLength(body))], ['Connection', 'close']);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n${body}`);
  setTimeout(() => socket.destroy(), LINGER);
  return status;
}

function replyOutsideOperations(contract: Contract, status: number, requestId: string) {
  const spec = findReply(contract, undefined, status);
  if (!spec) throw new Error(`openapi.yaml: x-replies-outside-operations must declare status ${status}`);
  const { message, code } = spec.example;
  const body = JSON.stringify({ message, code });
  const facts = { body, requestId, elapsedMilliseconds: 0, operationsAtPath: () => [] };
  const headers = responseHeaders(spec, facts);
  headers.push(['Content-Type', `${spec.mediaType}; charset=utf-8`]);
  return { headers, body };
}
