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

/** What was asked on a connection, and how many of its bytes were read when the last answer was sent. */
type Connection = { unanswered: number; bytesAnswered: number };

/**
 * Hangs up on connections that would keep the process alive once the service is stopping: after each reply, and on whoever
 * has not begun a request, or not sent the whole of it, in the time that there is for one.
 */
export const stoppingPlugin = fp<StoppingOptions>(
  async (app, { delay }) => {
    const stop = new AbortController();
    app.decorate('stopping', stop.signal);
    const connections = new Map<Socket, Connection>();

    app.server.on('connection', (socket) => {
      connections.set(socket, { unanswered: 0, bytesAnswered: 0 });
      socket.once('close', () => connections.delete(socket));
    });
    app.server.on('request', ({ socket }, response) => {
      const connection = connections.get(socket);
      if (!connection) return;
      connection.unanswered += 1;
      response.once('close', () => {
        connection.unanswered -= 1;
        connection.bytesAnswered = socket.bytesRead;
      });
    });
    // Node calls it as its server closes. To its own a connection on which nothing has come yet is idle, from version 24 on.
    app.server.closeIdleConnections = () => {
      for (const [socket, { unanswered, bytesAnswered }] of connections) {
        if (unanswered === 0 && bytesAnswered > 0 && bytesAnswered === socket.bytesRead) socket.destroy();
      }
    };

    app.addHook('preClose', async () => {
      stop.abort();
      if (delay > 0 && app.server.listening) await wait(delay);
      setTimeout(() => {
        for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
      }, FIRST_BYTE_TIMEOUT).unref();
      // Node no longer watches for slow requests once its server closes.
      setTimeout(() => app.server.closeAllConnections(), app.server.requestTimeout).unref();
    });

    // A proxy that is told so does not send its next request on a connection that is about to be closed.
    app.addHook('onSend', async (_request, reply) => {
      if (stop.signal.aborted) reply.header('connection', 'close');
    });
  },
  { name: 'stopping' },
);
