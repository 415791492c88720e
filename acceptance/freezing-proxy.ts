import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export type FreezingProxy = {
  /** Of the database, through the proxy. */
  url: string;
  /** Freezes before it forwards the query that is chosen by its SQL: all connections stay open, and nothing passes. */
  freezeAt(chosen: (sql: string) => boolean): void;
  /** Returns the SQL of the query that it has frozen at, if any. */
  thaw(): string | undefined;
};

const none = (_sql: string) => false;

/** Stands between the service and PostgreSQL. */
export async function startFreezingProxy(t: Test, databaseUrl: string): Promise<FreezingProxy> {
  const { hostname, port } = new URL(databaseUrl);
  let isChosen = none;
  let frozenAt: string | undefined;
  let thawed = Promise.resolve();
  let thaw = () => {};

  function freezeIfChosen(sql: string): void {
    if (frozenAt !== undefined || !isChosen(sql)) return;
    frozenAt = sql;
    thawed = new Promise((resolve) => {
      thaw = resolve;
    });
  }

  async function forward(from: Socket, to: Socket, read: (chunk: Buffer) => void): Promise<void> {
    try {
      for await (const chunk of from) {
        read(chunk);
        await thawed;
        to.write(chunk);
      }
      to.end();
    } catch {
      to.destroy();
    }
  }

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    forward(client, upstream, createQueryReader(freezeIfChosen));
    forward(upstream, client, () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    thaw();
    server.close();
  });
  const address = server.address();
  const url = new URL(databaseUrl);
  url.port = typeof address === 'object' && address ? String(address.port) : '';
  return {
    url: url.href,
    freezeAt(chosen) {
      isChosen = chosen;
    },
    thaw() {
      const sql = frozenAt;
      isChosen = none;
      frozenAt = undefined;
      thaw();
      return sql;
    },
  };
}

/** Reads what a client of PostgreSQL sends, and tells the SQL of each query. */
function createQueryReader(onQuery: (sql: string) => void): (chunk: Buffer) => void {
  const statements = new Map<string, string>();
  let bytes: Buffer = Buffer.alloc(0);
  let started = false;
  let bound = '';

  function readMessage(type: string, body: Buffer): void {
    const [first = '', second = ''] = body.toString('latin1').split('\0');
    if (type === 'P') statements.set(first, second);
    if (type === 'B') bound = second;
    if (type === 'S') onQuery(statements.get(bound) ?? '');
    if (type === 'Q') onQuery(first);
  }

  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      // The first message has no type.
      const typeBytes = started ? 1 : 0;
      if (bytes.length < typeBytes + 4) return;
      const end = typeBytes + bytes.readInt32BE(typeBytes);
      if (bytes.length < end) return;
      readMessage(started ? String.fromCharCode(bytes[0] ?? 0) : '', bytes.subarray(typeBytes + 4, end));
      started = true;
      bytes = bytes.subarray(end);
    }
  };
}
