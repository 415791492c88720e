import fp from 'fastify-plugin';
import type { LogFields } from '../operation.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the operation, or its failure, adds to the request's line in the log. */
    logFields: Partial<LogFields>;
  }
}

/**
 * Writes one line for each request, also for one whose client has hung up. The URL is left out: it is the caller's, and
 * may hold what is secret.
 */
export const requestLogPlugin = fp(
  async (app) => {
    app.decorateRequest('logFields');

    app.addHook('onRequest', async (request, reply) => {
      request.logFields = {};
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
