import { type Span, SpanStatusCode } from '@opentelemetry/api';
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  HTTP_REQUEST_METHOD_VALUE_OTHER,
} from '@opentelemetry/semantic-conventions';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Tracing } from './tracing.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where tracing is off. */
    span: Span | undefined;
  }
}

/**
 * Makes a span of each request, by OpenTelemetry's conventions for HTTP servers. Like the log, it holds nothing that the caller
 * chooses: no path without a route, no query, Host or User-Agent.
 */
export const requestSpansPlugin = fp<{ tracing: Tracing; addressOf: (request: FastifyRequest) => string }>(
  async (app, { tracing, addressOf }) => {
    const methods = new Set(app.supportedMethods);

    app.decorateRequest('span');

    app.addHook('onRequest', (request, reply, done) => {
      const method = methods.has(request.method) ? request.method : undefined;
      const route = request.is404 ? undefined : request.routeOptions.url;
      const name = [method ?? 'HTTP', route].filter(Boolean).join(' ');
      const span = tracing.startServerSpan(name, request.headers, {
        [ATTR_HTTP_REQUEST_METHOD]: method ?? HTTP_REQUEST_METHOD_VALUE_OTHER,
        [ATTR_HTTP_ROUTE]: route,
        [ATTR_URL_PATH]: pathOf(request) === route ? route : undefined,
        [ATTR_URL_SCHEME]: request.protocol,
        [ATTR_CLIENT_ADDRESS]: addressOf(request),
        [ATTR_NETWORK_PROTOCOL_VERSION]: request.raw.httpVersion,
      });
      request.span = span;
      reply.raw.once('close', () => {
        if (reply.raw.writableEnded) span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, reply.statusCode);
        if (reply.statusCode >= 500) {
          span.setAttribute(ATTR_ERROR_TYPE, String(reply.statusCode));
          span.setStatus({ code: SpanStatusCode.ERROR });
        }
        span.end();
      });
      tracing.below(span, done);
    });

    // After the body has been read: AsyncLocalStorage does not cross that from an earlier hook.
    app.addHook('preHandler', ({ span }, _reply, done) => (span ? tracing.below(span, done) : done()));
  },
  { name: 'request-spans' },
);

function pathOf({ url }: FastifyRequest): string | undefined {
  return url.split('?', 1)[0];
}
