import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborts as soon as the service is told to stop. */
    stopping: AbortSignal;
  }
}

export type StoppingOptions = {
  /** Milliseconds in which it goes on as before, so that proxies notice that it is no longer ready. */
  delay: number;
};

/** Milliseconds for the first byte on a connection: a proxy has opened it for a request that is on its way. */
const FIRST_BYTE_TIMEOUT = 1_000;

/**
 * Hangs up on connections that would keep the process alive once the service is stopping: after each reply, and on whoever
 * has not begun a request, or not sent the whole of it, in the time that there is for one.
 */
export const stoppingPlugin = fp<StoppingOptions>(
  async (app, { delay }) => {
    const stop = new AbortController();
    app.decorate('stopping', stop.signal);
    const connections = new Set<Socket>();
    const unheard = () => [...connections].filter(({ bytesRead }) => bytesRead === 0);

    app.server.on('connection', (socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
    });

    // Its server calls it as it closes. Node.js 26 takes a connection for idle on which nothing has come yet.
    const closeIdleConnections = app.server.closeIdleConnections.bind(app.server);
    app.server.closeIdleConnections = () => {
      const spared = unheard();
      for (const socket of spared) socket.destroy = () => socket;
      closeIdleConnections();
      for (const socket of spared) Reflect.deleteProperty(socket, 'destroy');
    };

    app.addHook('preClose', async () => {
      stop.abort();
      if (delay > 0 && app.server.listening) await wait(delay);
      setTimeout(() => {
        for (const socket of unheard()) socket.destroy();
      }, FIRST_BYTE_TIMEOUT).unref();
      // Node no longer watches for slow requests once its server closes, and never knew of what became of a CONNECT.
      setTimeout(() => {
        for (const socket of connections) socket.destroy();
      }, app.server.requestTimeout).unref();
    });

    // A proxy that is told so does not send its next request on a connection that is about to be closed.
    app.addHook('onSend', async (_request, reply) => {
      if (stop.signal.aborted) reply.header('connection', 'close');
    });
  },
  { name: 'stopping' },
);
