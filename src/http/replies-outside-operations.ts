import { STATUS_CODES } from 'node:http';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { type Contract, findReply } from '../contract/contract.js';
import type { Connection } from './connections/connection.js';
import { createRequestId } from './request-id.js';
import { responseHeaders } from './response-headers.js';

/** Errors of Node's HTTP parser whose status is not 400. */
const STATUSES: { [code: string]: number } = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** Answers a request whose URL can't be decoded, for which Fastify runs no hooks. Returns the status. */
export function answerBadUrl(contract: Contract, request: FastifyRequest, reply: FastifyReply, ip: string): number {
  const { headers, body } = replyOutsideOperations(contract, 400, request.id);
  for (const [name, value] of headers) reply.header(name, value);
  request.log.info({ status: 400, ip }, 'answered');
  reply.code(400).send(body);
  return 400;
}

/**
 * Answers what can't be read as HTTP after the requests before it, and closes the connection. Returns the status, unless the
 * client has hung up or the connection is closing already.
 */
export function answerClientError(
  contract: Contract,
  log: FastifyBaseLogger,
  { code = '' }: { code?: string },
  connection: Connection | undefined,
): number | undefined {
  if (!connection?.socket.writable || connection.isClosing()) return undefined;
  // The client has said that there is no next request.
  if (code === 'HPE_CLOSED_CONNECTION') return void connection.close();
  const status = STATUSES[code] ?? 400;
  const requestId = createRequestId(undefined);
  const { headers, body } = replyOutsideOperations(contract, status, requestId);
  log.info({ requestId, status, code, ip: connection.address }, 'answered');
  headers.push(['Content-Length', String(Buffer.byteLength(body))], ['Connection', 'close']);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  connection.close(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n${body}`);
  return status;
}

function replyOutsideOperations(contract: Contract, status: number, requestId: string) {
  const spec = findReply(contract, undefined, status);
  if (!spec) throw new Error(`openapi.yaml: x-replies-outside-operations must declare status ${status}`);
  const body = JSON.stringify({ message: spec.message });
  const facts = { body, requestId, elapsedMilliseconds: 0, operationsAtPath: () => [] };
  const headers = responseHeaders(spec, facts);
  headers.push(['Content-Type', `${spec.mediaType}; charset=utf-8`]);
  return { headers, body };
}
