import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type DescribeRequest, onceEnded } from './ended-request.js';

/** W3C Trace Context, of any version: later ones may have more after the flags. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/;

/** Writes a line for each request, also if the client has hung up. It leaves out the URL, which may hold secrets. */
export const requestLogPlugin = fp<{ describe: DescribeRequest }>(
  async (app, { describe }) => {
    app.addHook('onRequest', (request, reply, done) => {
      const ids = traceIdsOf(request);
      if (ids) request.log = reply.log = request.log.child(ids);
      onceEnded(request, reply, describe, ({ operationId, status, milliseconds, level = 'info', ...fields }) => {
        request.log[level](
          {
            method: request.method,
            operationId,
            status,
            milliseconds: Number(milliseconds.toFixed(3)),
            ...fields,
          },
          status === undefined ? 'hung up' : 'answered',
        );
      });
      done();
    });
  },
  { name: 'request-log' },
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
