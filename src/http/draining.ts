import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborts as soon as the service is told to stop. */
    draining: AbortSignal;
  }
}

type DrainingOptions = {
  /** Milliseconds in which the service serves as before, so that proxies notice that it is no longer ready. */
  delay: number;
};

/** When the service stops, finishes the requests in flight. Node closes each connection after its reply, and idle ones at once. */
export const drainingPlugin = fp<DrainingOptions>(
  async (app, { delay }) => {
    const draining = new AbortController();
    const connections = new Set<Socket>();
    app.decorate('draining', draining.signal);

    app.server.on('connection', (socket: Socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
    });

    app.addHook('preClose', async () => {
      draining.abort();
      if (!app.server.listening) return;
      if (delay > 0) await wait(delay);
      // Before Node.js 26 those that have sent nothing are not idle.
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
      // A closed server no longer enforces the request timeout.
      setTimeout(() => app.server.closeAllConnections(), app.server.requestTimeout).unref();
    });

    // Tells a proxy not to reuse the connection.
    app.addHook('onSend', (_request, reply, _payload, done) => {
      if (draining.signal.aborted) reply.header('connection', 'close');
      done();
    });
  },
  { name: 'draining' },
);
