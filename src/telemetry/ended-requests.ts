import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ClientGone } from '../errors/client-gone.js';
import type { LogFields } from '../errors/http-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether the reply is made: the operation, or its failure, has added all that it adds to the log. */
    hasReply: boolean;
  }
}

/** A request that is over. */
export type EndedRequest = LogFields & {
  operationId?: string;
  /** The client's address. */
  ip: string;
  /** Undefined where the client hung up before the reply. */
  status: number | undefined;
  milliseconds: number;
};

type EndedRequestsOptions = {
  /** Returns the operation that a request has reached, what that adds to the log, and the client's address. */
  describe(request: FastifyRequest): LogFields & { operationId?: string; ip: string };
  onEnded?: ((request: EndedRequest) => void) | undefined;
};

/** W3C Trace Context, of any version: later ones may have more after the flags. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/;

/**
 * Writes one line for each request, and calls `onEnded`: when the reply has been sent or, if the client has hung up, when the
 * operation is done: it may still change a user. The line leaves out the URL, which may hold secrets.
 */
export const endedRequestsPlugin = fp<EndedRequestsOptions>(
  async (app, { describe, onEnded }) => {
    function end(request: FastifyRequest, reply: FastifyReply): void {
      const { operationId, ip, level = 'info', ...fields } = describe(request);
      const hungUp = !reply.raw.writableEnded;
      const status = hungUp ? undefined : reply.statusCode;
      const milliseconds = reply.elapsedTime;
      const outcome = hungUp ? { outcome: ClientGone.outcome } : {};
      onEnded?.({ ...(operationId && { operationId }), status, milliseconds, ip, ...outcome, ...fields });
      request.log[hungUp ? 'info' : level](
        {
          method: request.method,
          operationId,
          status,
          milliseconds: Number(milliseconds.toFixed(3)),
          ip,
          ...outcome,
          ...fields,
        },
        hungUp ? 'hung up' : 'answered',
      );
    }

    app.decorateRequest('hasReply', false);

    app.addHook('onRequest', (request, reply, done) => {
      const ids = traceIdsOf(request);
      if (ids) request.log = reply.log = request.log.child(ids);
      reply.raw.once('close', () => {
        if (request.hasReply) end(request, reply);
      });
      done();
    });

    app.addHook('onSend', (request, reply, _payload, done) => {
      if (reply.raw.destroyed && !request.hasReply) end(request, reply);
      request.hasReply = true;
      done();
    });
  },
  { name: 'ended-requests' },
);

/** By OpenTelemetry's names. Where tracing is off, the ids of the caller's trace: a proxy may trace. */
function traceIdsOf({ span, headers }: FastifyRequest): { trace_id: string; span_id?: string } | undefined {
  if (span) {
    const { traceId, spanId } = span.spanContext();
    return { trace_id: traceId, span_id: spanId };
  }
  const [, traceId] = headers.traceparent?.toString().match(TRACEPARENT) ?? [];
  return traceId ? { trace_id: traceId } : undefined;
}
