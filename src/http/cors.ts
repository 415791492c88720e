import cors from '@fastify/cors';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ADMIN_SCHEME, type Contract, type Operation } from '../contract/contract.js';
import { methodsOf } from './operation.js';

type CorsOptions = {
  contract: Contract;
  /** Origins whose pages may read the replies. */
  origins: readonly string[];
};

/**
 * CORS for listed origins: their pages may read all replies, errors included. For other origins nothing changes. No
 * credentials: the service reads no cookies.
 */
export const corsPlugin = fp<CorsOptions>(
  async (app, { contract, origins }) => {
    const exposedHeaders = exposedHeadersOf(contract);
    const allowedHeaders = contract.requestHeadersAcrossOrigins;

    await app.register(cors, {
      delegator(request, done) {
        const { origin = '' } = request.headers;
        if (!origins.includes(origin)) return done(null, { origin: false });
        const { operation, operationsAtPath = [] } = request.routeOptions.config;
        const operations = operationsAtPath.filter(isForPages);
        const isClosed = operation ? !isForPages(operation) : operationsAtPath.length > operations.length;
        if (isClosed) return done(null, { origin: false });
        const preflight = isPreflight(request) && operations.length > 0;
        done(null, { origin, exposedHeaders, preflight, methods: methodsOf(operations), allowedHeaders });
      },
    });

    // RFC 9110, section 8.6: no Content-Length with 204. @fastify/cors sends it for old browsers.
    app.addHook('onSend', async (_request, reply) => {
      if (reply.statusCode === 204) reply.removeHeader('content-length');
    });
  },
  { name: 'cors', dependencies: ['operation', 'response-headers', 'errors'] },
);

/** A page that had the admin token would have lost it. */
function isForPages({ securityScheme }: Operation): boolean {
  return securityScheme !== ADMIN_SCHEME;
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

/** The response headers of our operations for pages whose values vary. */
function exposedHeadersOf({ operations }: Contract): string[] {
  const names = operations
    .filter((operation) => !operation.servedBy && isForPages(operation))
    .flatMap(({ replies }) => [...replies.values()].flatMap(({ headers }) => [...headers]))
    .flatMap(([name, schema]) => ('const' in schema ? [] : [name]));
  return [...new Set(names)];
}
