import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export type MetricsServer = {
  url: string;
  /** Closes all connections at once. */
  close(): void;
};

/** Milliseconds for a request, and for each part of the reply. */
const TIMEOUT = 5_000;
/** Far more than there are Prometheus servers. */
const MAX_CONNECTIONS = 32;

/**
 * Serves `GET /metrics` on its own port, for the operator only.
 *
 * @throws Node's system error where it can't listen there
 */
export async function serveMetrics(
  registry: Pick<Registry, 'metrics' | 'contentType'>,
  { host, port }: { host: string; port: number },
): Promise<MetricsServer> {
  const limits = { headersTimeout: TIMEOUT, requestTimeout: TIMEOUT, connectionsCheckingInterval: 1_000 };
  const server = createServer(limits, async (request, response) => {
    // Scrapes are far apart.
    response.setHeader('Connection', 'close');
    if (request.url?.split('?', 1)[0] !== '/metrics') return response.writeHead(404).end();
    if (request.method !== 'GET') return response.writeHead(405, { Allow: 'GET' }).end();
    try {
      const text = await registry.metrics();
      response.writeHead(200, { 'Content-Type': registry.contentType }).end(text);
    } catch {
      response.writeHead(500).end();
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(TIMEOUT);
  server.listen({ host, port });
  await once(server, 'listening');
  // A string only for Unix sockets.
  const { address, family, port: listening } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${listening}/metrics`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
