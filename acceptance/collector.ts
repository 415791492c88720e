import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

type Value = { stringValue?: string; intValue?: number };
type Attribute = { key: string; value: Value };
export type Span = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  status: { code: number };
  attributes: Attribute[];
};

type Export = { path: string; headers: NodeJS.Dict<string | string[]>; body: Buffer };

/** A collector of OTLP over HTTP, which may also say nothing at all. */
export async function startCollector(t: Test, { answers = true } = {}) {
  const exports: Export[] = [];
  const connections = { count: 0 };
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    exports.push({ path: request.url ?? '', headers: request.headers, body });
    if (answers) response.setHeader('content-type', request.headers['content-type'] ?? '').end();
  });
  server.on('connection', () => {
    connections.count += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, exports, connections };
}

export function spansIn(exports: Export[]): Span[] {
  return exports.flatMap(({ body }) =>
    JSON.parse(body.toString()).resourceSpans.flatMap(({ scopeSpans }: { scopeSpans: { spans: Span[] }[] }) =>
      scopeSpans.flatMap(({ spans }) => spans),
    ),
  );
}

export function attributesOf(span: Span | undefined) {
  return Object.fromEntries(
    (span?.attributes ?? []).map(({ key, value }) => [key, value.stringValue ?? value.intValue]),
  );
}
