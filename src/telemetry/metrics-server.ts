import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export type MetricsServer = {
  url: string;
  /** Hangs up on everybody, at once. */
  close(): void;
};

/** Milliseconds in which a scrape has to be asked for, and then each part of it taken. */
const TIMEOUT = 5_000;
/** Far more scrapes at once than there are Prometheus servers. */
const MAX_CONNECTIONS = 32;

/**
 * Serves `GET /metrics` on a port of its own, which is nobody's business but the operator's.
 *
 * @throws Node's system error where it can't listen there
 */
export async function serveMetrics(
  registry: Pick<Registry, 'metrics' | 'contentType'>,
  { host, port }: { host: string; port: number },
): Promise<MetricsServer> {
  const limits = { headersTimeout: TIMEOUT, requestTimeout: TIMEOUT, connectionsCheckingInterval: 1_000 };
  const server = createServer(limits, async (request, response) => {
    // Scrapes are far apart, so there is no connection worth keeping.
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
  // It listens at a port, and not at a path, so its address is no text.
  const { address, family, port: listening } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${listening}/metrics`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
