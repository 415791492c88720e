import fp from 'fastify-plugin';
import type { Metrics } from './metrics.js';

/** Counts each request where the log has a line for it, also one whose client has hung up. */
export const metricsPlugin = fp<{ metrics: Pick<Metrics, 'requestEnded'> }>(
  async (app, { metrics }) => {
    app.addHook('onRequest', async (request, reply) => {
      reply.raw.once('close', () => {
        const answered = reply.raw.writableEnded;
        metrics.requestEnded({
          operationId: request.operation?.id,
          status: answered ? reply.statusCode : undefined,
          milliseconds: reply.elapsedTime,
          ...(answered ? request.logFields : { outcome: 'client_gone' }),
        });
      });
    });
  },
  { name: 'metrics', dependencies: ['response-headers', 'request-log'] },
);
