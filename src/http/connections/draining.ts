import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Connections } from './connections.js';

declare module 'fastify' {
  interface FastifyInstance {
    draining: AbortSignal;
  }
}

export type DrainingOptions = {
  /** Milliseconds in which the service goes on as before, so that proxies notice that it is no longer ready. */
  delay: number;
  connections: Pick<Connections, 'all'>;
};

/** Milliseconds for the first byte on a connection: a proxy may have opened it for a request. */
const FIRST_BYTE_TIMEOUT = 1_000;
/** Milliseconds between checks: a data listener would take the socket from Node's HTTP parser. */
const FIRST_BYTE_CHECK = 20;

/**
 * When the service stops, finishes the requests in flight and closes connections: idle ones at once, others after their
 * reply, or after the timeouts for the first byte and for a whole request.
 */
export const drainingPlugin = fp<DrainingOptions>(
  async (app, { delay, connections }) => {
    const draining = new AbortController();
    app.decorate('draining', draining.signal);

    app.addHook('preClose', async () => {
      draining.abort();
      if (!app.server.listening) return;
      if (delay > 0) await wait(delay);
      for (const { socket, isIdle } of connections.all()) if (isIdle()) socket.destroy();
      // Closing the server closes idle connections; for Node.js 26 silent ones are idle too. Later ones do not extend the wait.
      let silent = [...connections.all()].map(({ socket }) => socket);
      const deadline = performance.now() + FIRST_BYTE_TIMEOUT;
      do {
        silent = silent.filter((socket) => socket.bytesRead === 0 && !socket.destroyed);
        if (silent.length > 0) await wait(FIRST_BYTE_CHECK);
      } while (silent.length > 0 && performance.now() < deadline);
      for (const socket of silent) socket.destroy();
      // A closed server no longer enforces the request timeout, nor ever did for CONNECT.
      setTimeout(() => {
        for (const { socket } of connections.all()) socket.destroy();
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

/** Aborts as soon as the service is told to stop. */
export function drainingOf({ draining }: FastifyInstance): AbortSignal {
  return draining;
}
