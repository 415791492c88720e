import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { LogFields } from '../contract/handler.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the operation, or its failure, adds to the request's line in the log. */
    logFields: Partial<LogFields>;
  }
}

/** W3C Trace Context, of any version: what may follow the flags is left to those to come. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/;

/**
 * Writes one line for each request, also for one whose client has hung up. The URL is left out: it is the caller's, and
 * may hold what is secret.
 */
export const requestLogPlugin = fp(
  async (app) => {
    app.decorateRequest('logFields');

    app.addHook('onRequest', async (request, reply) => {
      request.logFields = {};
      const ids = traceIdsOf(request);
      if (ids) request.log = reply.log = request.log.child(ids);
      reply.raw.once('close', () => {
        const answered = reply.raw.writableEnded;
        request.log.info(
          {
            method: request.method,
            operationId: request.operation?.id,
            status: answered ? reply.statusCode : undefined,
            milliseconds: Number(reply.elapsedTime.toFixed(3)),
            ip: request.ip,
            ...(answered ? request.logFields : { outcome: 'client_gone' }),
          },
          answered ? 'answered' : 'hung up',
        );
      });
    });
  },
  { name: 'request-log', dependencies: ['response-headers'] },
);

/** By OpenTelemetry's names. Where tracing is off the trace is the caller's, if it sends one: a proxy may trace. */
function traceIdsOf({ span, headers }: FastifyRequest): { trace_id: string; span_id?: string } | undefined {
  if (span) {
    const { traceId, spanId } = span.spanContext();
    return { trace_id: traceId, span_id: spanId };
  }
  const [, traceId] = headers.traceparent?.toString().match(TRACEPARENT) ?? [];
  return traceId ? { trace_id: traceId } : undefined;
}
