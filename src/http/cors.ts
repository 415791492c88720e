import cors from '@fastify/cors';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Contract, Operation } from '../contract/contract.js';
import { methodsOf } from './operation.js';

export type CorsOptions = {
  contract: Contract;
  /** Whose pages may read the replies. */
  origins: readonly string[];
};

/**
 * Lets pages of listed origins read the replies, errors too, and answers the preflights of their browsers. To any other
 * origin the service answers as if there were no CORS. No credentials: the service reads no cookies.
 */
export const corsPlugin = fp<CorsOptions>(
  async (app, { contract, origins }) => {
    const exposedHeaders = exposedHeadersOf(contract);

    await app.register(cors, {
      delegator(request, done) {
        const { origin = '' } = request.headers;
        if (!origins.includes(origin)) return done(null, { origin: false });
        const { operationsAtPath: operations = [] } = request.routeOptions.config;
        const preflight = isPreflight(request) && operations.length > 0;
        // Not the operation's, which the browser may ask for next.
        if (preflight) request.operation = undefined;
        const [methods, allowedHeaders] = [methodsOf(operations), readHeaders(operations)];
        done(null, { origin, exposedHeaders, preflight, methods, allowedHeaders });
      },
    });

    // RFC 9110, section 8.6, which @fastify/cors breaks for browsers that are gone.
    app.addHook('onSend', async (_request, reply) => {
      if (reply.statusCode === 204) reply.removeHeader('content-length');
    });
  },
  { name: 'cors', dependencies: ['operation', 'response-headers', 'errors'] },
);

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

/** The header fields that requests at a path may carry to some effect. */
function readHeaders(operations: readonly Operation[]): string[] {
  const names = operations.flatMap(({ parameters, bodies }) => [
    ...Object.keys(parameters.header.properties ?? {}),
    ...(bodies.size > 0 ? ['Content-Type'] : []),
  ]);
  return [...new Set(names)];
}

/** The header fields of our operations' replies whose values are not always the same. */
function exposedHeadersOf({ operations }: Contract): string[] {
  const names = operations
    .filter(({ servedBy }) => !servedBy)
    .flatMap(({ replies }) => [...replies.values()].flatMap(({ headers }) => [...headers]))
    .flatMap(([name, schema]) => ('const' in schema ? [] : [name]));
  return [...new Set(names)];
}
