import fp from 'fastify-plugin';

/** Writes one line for each request. The query is left out: it is the caller's, and may hold what is secret. */
export const requestLogPlugin = fp(
  async (app) => {
    app.addHook('onResponse', async (request, reply) => {
      request.log.info(
        {
          method: request.method,
          path: request.url.split('?', 1)[0],
          operationId: request.operation?.id,
          status: reply.statusCode,
          milliseconds: Number(reply.elapsedTime.toFixed(3)),
          ip: request.ip,
        },
        'answered',
      );
    });
  },
  { name: 'request-log', dependencies: ['response-headers'] },
);
