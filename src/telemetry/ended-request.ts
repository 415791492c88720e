import type { FastifyReply, FastifyRequest } from 'fastify';
import { ClientGone } from '../errors/client-gone.js';
import type { LogFields } from '../errors/http-error.js';

/** Returns the operation that a request has reached, what that adds to the log, and the client's address. */
export type DescribeRequest = (request: FastifyRequest) => LogFields & { operationId?: string; ip: string };

/** A request that is over. */
export type EndedRequest = LogFields & {
  operationId?: string;
  /** The client's address. */
  ip: string;
  /** Undefined where the client hung up before the reply. */
  status: number | undefined;
  milliseconds: number;
};

/** Calls back when the reply has been sent, or the client has hung up. */
export function onceEnded(
  request: FastifyRequest,
  reply: FastifyReply,
  describe: DescribeRequest,
  listener: (ended: EndedRequest) => void,
): void {
  reply.raw.once('close', () => {
    const { operationId, ip, ...fields } = describe(request);
    const answered = reply.raw.writableEnded;
    listener({
      ...(operationId && { operationId }),
      status: answered ? reply.statusCode : undefined,
      milliseconds: reply.elapsedTime,
      ip,
      ...(answered ? fields : { outcome: ClientGone.outcome }),
    });
  });
}
