import fp from 'fastify-plugin';

/** Hangs up after each reply once the service is stopping; a connection kept alive would keep the process alive too. */
export const stoppingPlugin = fp(
  async (app) => {
    let stopping = false;
    app.addHook('preClose', async () => {
      stopping = true;
    });
    app.addHook('onSend', async (_request, reply) => {
      if (stopping) reply.header('connection', 'close');
    });
  },
  { name: 'stopping' },
);
