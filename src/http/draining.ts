import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    draining: AbortSignal;
  }
}

export type DrainingOptions = {
  /** Milliseconds in which the service goes on as before, so that proxies notice that it is no longer ready. */
  delay: number;
};

/** Milliseconds for the first byte on a connection: a proxy may have opened it for a request. */
const FIRST_BYTE_TIMEOUT = 1_000;
/** Milliseconds between checks: a data listener would take the socket from Node's HTTP parser. */
const FIRST_BYTE_CHECK = 20;

/** Old clients send it after a body. */
const EMPTY_LINE = '\r\n'.length;

/** Requests in flight on a connection, and the bytes that had been read at the last reply. */
type Activity = { inFlight: number; bytesRead: number };

/**
 * When the service stops, finishes the requests in flight and closes connections: idle ones at once, others after their
 * reply, or after the timeouts for the first byte and for a whole request.
 */
export const drainingPlugin = fp<DrainingOptions>(
  async (app, { delay }) => {
    const draining = new AbortController();
    app.decorate('draining', draining.signal);
    const connections = new Map<Socket, Activity>();

    app.server.on('connection', (socket) => {
      connections.set(socket, { inFlight: 0, bytesRead: 0 });
      socket.once('close', () => connections.delete(socket));
    });
    app.addHook('onRequest', ({ raw }, _reply, done) => {
      const activity = connections.get(raw.socket);
      if (activity) activity.inFlight += 1;
      done();
    });
    app.addHook('onResponse', ({ raw }, _reply, done) => {
      const activity = connections.get(raw.socket);
      if (activity) {
        activity.inFlight -= 1;
        activity.bytesRead = raw.socket.bytesRead;
      }
      done();
    });

    app.addHook('preClose', async () => {
      draining.abort();
      if (!app.server.listening) return;
      if (delay > 0) await wait(delay);
      for (const [socket, activity] of connections) if (isIdle(socket, activity)) socket.destroy();
      // Closing the server closes idle connections; for Node.js 26 silent ones are idle too. Later ones do not extend the wait.
      let silent = [...connections.keys()];
      const deadline = performance.now() + FIRST_BYTE_TIMEOUT;
      do {
        silent = silent.filter((socket) => socket.bytesRead === 0 && !socket.destroyed);
        if (silent.length > 0) await wait(FIRST_BYTE_CHECK);
      } while (silent.length > 0 && performance.now() < deadline);
      for (const socket of silent) socket.destroy();
      // A closed server no longer enforces the request timeout, nor ever did for CONNECT.
      setTimeout(() => {
        for (const socket of connections.keys()) socket.destroy();
      }, app.server.requestTimeout).unref();
    });

    // Tells a proxy not to reuse the connection.
    app.addHook('onSend', (_request, reply, _payload, done) => {
      if (draining.signal.aborted) reply.header('connection', 'close');
      done();
    });
  },
  { name: 'draining' },
);

function isIdle(socket: Socket, { inFlight, bytesRead }: Activity): boolean {
  return inFlight === 0 && bytesRead > 0 && socket.bytesRead - bytesRead <= EMPTY_LINE;
}

/** Aborts as soon as the service is told to stop. */
export function drainingOf({ draining }: FastifyInstance): AbortSignal {
  return draining;
}
