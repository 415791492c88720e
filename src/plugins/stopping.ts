import type { Socket } from 'node:net';
import fp from 'fastify-plugin';

/**
 * Hangs up on connections that would keep the process alive once the service is stopping: at once on those that have sent
 * nothing yet, after each reply, and on whoever has not sent a whole request in the time that there is for one.
 */
export const stoppingPlugin = fp(
  async (app) => {
    const connections = new Set<Socket>();
    let stopping = false;

    app.server.on('connection', (socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
    });

    app.addHook('preClose', async () => {
      stopping = true;
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
      // Node no longer watches for slow requests once its server closes.
      setTimeout(() => app.server.closeAllConnections(), app.server.requestTimeout).unref();
    });

    app.addHook('onSend', async (_request, reply) => {
      if (stopping) reply.header('connection', 'close');
    });
  },
  { name: 'stopping' },
);
