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

/** Milliseconds for the first byte on a connection: a proxy has opened it for a request that is on its way. */
const FIRST_BYTE_TIMEOUT = 1_000;
/** Milliseconds between two looks for it: a listener for data would take the socket from Node's HTTP parser. */
const FIRST_BYTE_CHECK = 20;

/** What old clients send after a body: it begins no request. */
const EMPTY_LINE = '\r\n'.length;

/** What a connection is doing: requests without a reply, and the bytes that had been read when the last one was sent. */
type Activity = { inFlight: number; bytesRead: number };

/**
 * Finishes the requests in flight once the service is told to stop, and closes connections that would keep the process
 * alive: after each reply, and those on which no request begins, or comes whole, in the time that there is for one.
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
    app.addHook('onRequest', async ({ raw }) => {
      const activity = connections.get(raw.socket);
      if (activity) activity.inFlight += 1;
    });
    app.addHook('onResponse', async ({ raw }) => {
      const activity = connections.get(raw.socket);
      if (!activity) return;
      activity.inFlight -= 1;
      activity.bytesRead = raw.socket.bytesRead;
    });

    app.addHook('preClose', async () => {
      draining.abort();
      if (!app.server.listening) return;
      if (delay > 0) await wait(delay);
      for (const [socket, activity] of connections) if (isIdle(socket, activity)) socket.destroy();
      // Next the server closes, and with it what Node takes to be idle: on 26 also a connection on which nothing has come.
      const silent = () => [...connections.keys()].filter(({ bytesRead }) => bytesRead === 0);
      const deadline = performance.now() + FIRST_BYTE_TIMEOUT;
      while (silent().length > 0 && performance.now() < deadline) await wait(FIRST_BYTE_CHECK);
      for (const socket of silent()) socket.destroy();
      // Node no longer watches for slow requests once its server closes, and never knew of what became of a CONNECT.
      setTimeout(() => {
        for (const socket of connections.keys()) socket.destroy();
      }, app.server.requestTimeout).unref();
    });

    // A proxy that is told so does not send its next request on a connection that is about to be closed.
    app.addHook('onSend', async (_request, reply) => {
      if (draining.signal.aborted) reply.header('connection', 'close');
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
