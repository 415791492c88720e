import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Listens, for `localhost` at each of its addresses: clients choose one. Returns the URL.
 *
 * @throws Node's system error where it can't listen there
 */
export async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }): Promise<string> {
  if (host !== 'localhost') return app.listen({ host, port });
  const [first, ...others] = await lookup(host, { all: true });
  const servers = others.map(() => createServer({ allowHalfOpen: true, noDelay: true }));
  // By Node's documentation, so a server may be given the connections of another.
  for (const server of servers) server.on('connection', (socket) => app.server.emit('connection', socket));
  // After the plugin `draining` has closed what is idle.
  app.addHook('preClose', async () => {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  });
  const url = await app.listen({ host: first?.address ?? host, port });
  for (const [index, server] of servers.entries()) {
    server.listen({ host: others[index]?.address, port: Number(new URL(url).port) });
    // One is enough where the other is taken, or the machine has none such.
    await once(server, 'listening').catch(() => {});
  }
  return url;
}
