import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createBacklog } from './backlog.js';
import { type Connection, createConnection, type Handlers } from './connection.js';

export type Connections = {
  /** Makes a server whose connections these are. */
  serve(options: ServerOptions, handle: Handlers['handle']): Server;
  /** The connection of a socket, until it has closed. */
  of(socket: Socket): Connection | undefined;
  all(): Iterable<Connection>;
};

/** The open connections. */
export function createConnections(onCancelled: Handlers['onCancelled']): Connections {
  const connections = new Map<Socket, Connection>();
  const backlog = createBacklog();

  return {
    serve(options, handle) {
      const accept = (request: IncomingMessage, response: ServerResponse) =>
        connections.get(request.socket)?.accept(request, response);
      const server = createServer(options, accept);
      // Node would end the socket of a client that ends its side, and drop the replies. It does not document this property. What
      // it documents, a stream of our own in place of each socket, has no timeouts: Node checks them where it listens itself.
      Object.assign(server, { httpAllowHalfOpen: true });
      // All of them, as far as they fit into the bytes for a head: the plugin `unrouted` refuses too many.
      server.maxHeadersCount = 0;
      // RFC 9110, section 10.1.1: an unknown expectation may be ignored. Node would answer 417.
      server.on('checkExpectation', accept);
      server.on('connection', (socket) => {
        // libuv accepts one connection in a turn of the event loop.
        backlog.pause();
        const { remoteAddress } = socket;
        // It has been reset already.
        if (remoteAddress === undefined) return void socket.destroy();
        connections.set(socket, createConnection(socket, remoteAddress, { later: backlog.add, handle, onCancelled }));
        socket.once('close', () => connections.delete(socket));
      });
      return server;
    },
    of: (socket) => connections.get(socket),
    all: () => connections.values(),
  };
}
