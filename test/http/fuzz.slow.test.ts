/**
 * Hostile requests, generated from openapi.yaml; each reply is held to it. FUZZ_REQUESTS (20000) is how many, FUZZ_SEED
 * repeats a run.
 */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import t from 'tap';
import { loadContract, type Operation, operationNamed, type Schema } from '#built/contract/contract.js';
import { checkReply } from '../support/check-reply.js';
import { parseReplies } from '../support/parse-replies.js';
import { type Request, send } from '../support/send.js';
import { startService, UNTHROTTLED } from '../support/service.js';

const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 20_000);
const SEED = process.env.FUZZ_SEED ? Number(process.env.FUZZ_SEED) : Math.floor(Math.random() * 2 ** 31);
/** Requests that are under way at once. */
const AT_ONCE = 20;
/** The share of requests that is sent as raw bytes, each on a connection of its own that is cut off. */
const RAW_SHARE = 0.1;

const contract = loadContract();
const swaggerUi = operationNamed(contract, 'getDocumentation');

/** Values of a field: as its schema has them, at and over its limits, and of other types. */
function fieldValue(schema: Schema): fc.Arbitrary<unknown> {
  const { minLength = 0, maxLength = 100 } = schema as { minLength?: number; maxLength?: number };
  const at = (length: number) =>
    fc.constantFrom('a', 'é', '🔑', '@', ' ', '\0', '%').map((unit) => unit.repeat(length));
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('foo@bar.com', 'foobar', 'a@b', 'nobody@bar.com') },
    fc.emailAddress(),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.constantFrom(0, 1, -1).chain((more) => at(Math.max(0, maxLength + more))),
    at(Math.max(0, minLength - 1)),
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(
      '\ud800',
      '\0',
      '\r\nX-Injected: 1',
      "' OR 1=1 --",
      '{{7*7}}',
      '../../etc/passwd',
      '__proto__',
      'NaN',
    ),
  );
}

function propertiesOf(schema: Schema): [name: string, schema: Schema][] {
  return Object.entries((schema.properties ?? {}) as Record<string, Schema>);
}

/** Bodies of a media type: right, nearly right, cut off, and of any bytes. */
function bodyOf(mediaType: string, schema: Schema): fc.Arbitrary<Buffer> {
  const fields = fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc
          .constantFrom(...propertiesOf(schema))
          .chain(([name, own]) => fc.tuple(fc.constant(name), fieldValue(own))),
      },
      fc.tuple(
        fc.oneof(fc.string({ maxLength: 10 }), fc.constantFrom('__proto__', 'email[]', 'constructor', '')),
        fieldValue({}),
      ),
    ),
    { maxLength: 5 },
  );
  const encode = (pairs: [string, unknown][]) =>
    mediaType === 'application/json'
      ? `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value) ?? 'null'}`).join(',')}}`
      : pairs
          .map(([name, value]) => `${form(name)}=${form(typeof value === 'string' ? value : JSON.stringify(value))}`)
          .join('&');
  const whole = fields.map((pairs) => Buffer.from(encode(pairs)));
  return fc.oneof(
    { weight: 6, arbitrary: whole },
    fc.tuple(whole, fc.nat(60)).map(([body, length]) => body.subarray(0, length)),
    fc.tuple(whole, fc.uint8Array({ maxLength: 4 })).map(([body, bytes]) => Buffer.concat([body, bytes])),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom('[', '{"email":', '"', '%', '%ff', '%zz=', '&&&&', '='.repeat(50), '[['.repeat(500))
      .map((it) => Buffer.from(it)),
    fc.constantFrom(-1, 0, 1, 5_000).map((more) => Buffer.alloc(16_384 + more, 'email=a&')),
  );
}

function form(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1);
}

const headerValue = fc.oneof(
  fc.constantFrom('', 'x'.repeat(300), 'a, b', '"', '\t', 'gzip', 'chunked', '*/*', 'é', '9'.repeat(30)),
  fc.string({ unit: fc.constantFrom(...'abcXYZ019-_<>;=, "'), maxLength: 40 }),
);

/** Headers that are odd, and yet what an HTTP client may send. */
const oddHeaders = fc.dictionary(
  fc.constantFrom(
    'x-request-id',
    'accept',
    'content-encoding',
    'expect',
    'origin',
    'cookie',
    'authorization',
    'range',
    'if-none-match',
    'x-forwarded-for',
    'x-http-method-override',
    'te',
  ),
  headerValue,
  { maxKeys: 3 },
);

function requestOf(operation: Operation): fc.Arbitrary<Request> {
  const [bodies, mediaTypes] = [[...operation.bodies], [...operation.bodies.keys()]];
  const known = bodies.map(([mediaType, { schema }]) =>
    fc.record({
      type: fc.constantFrom(mediaType, `${mediaType}; charset=utf-8`, mediaType.toUpperCase()),
      body: bodyOf(mediaType, schema),
    }),
  );
  const unknown = fc.record({
    type: fc.oneof(
      fc.constantFrom('text/plain', 'multipart/form-data; boundary=x', ';', '/', ...mediaTypes.map((it) => `${it}x`)),
      headerValue,
    ),
    body: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  });
  const content = fc.oneof(...known.map((arbitrary) => ({ weight: 10, arbitrary })), unknown);
  return fc
    .record({
      method: fc.oneof(
        { weight: 10, arbitrary: fc.constant(operation.method) },
        fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY'),
      ),
      path: fc.oneof(
        { weight: 10, arbitrary: fc.constant(operation.path) },
        fc.webQueryParameters().map((query) => `${operation.path}?${query}`),
        fc.constantFrom(
          `${operation.path}/`,
          `${operation.path}%00`,
          `/${operation.path}`,
          operation.path.toUpperCase(),
          '/%',
          '/%c0%af',
          '/..',
          `/${'x'.repeat(2_000)}`,
        ),
        fc.webPath().map((path) => path || '/'),
      ),
      headers: oddHeaders,
      content: fc.option(content),
    })
    .map(({ method, path, headers, content: sent }) => ({
      method,
      path,
      headers: { ...headers, ...(sent && { 'content-type': sent.type, 'content-length': sent.body.length }) },
      ...(sent && { body: sent.body }),
    }));
}

/** Requests as bytes, one after another, whole, cut off or with anything in between. */
const rawBytes = fc
  .array(
    fc.oneof(
      fc
        .constantFrom(
          'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n',
          'GET /livez HTTP/1.0\r\n\r\n',
          'POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 18\r\n\r\nemail=a&password=b',
          'POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
          'POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
          'POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
          'GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n',
          'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
          'CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n',
          'GET /livez HTTP/1.1\r\n\r\n',
          'GET /livez HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
          'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
          '\x16\x03\x01\x02\x00\x01\x00',
        )
        .map((it) => Buffer.from(it, 'latin1')),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .chain((parts) => fc.nat(400).map((cut) => Buffer.concat(parts).subarray(0, cut + 1)));

const requests = fc.oneof(
  ...contract.operations.map((operation) => ({
    weight: operation.bodies.size > 0 ? 10 : 1,
    arbitrary: requestOf(operation),
  })),
);

t.test(`${REQUESTS} hostile requests; FUZZ_SEED=${SEED} repeats them`, { timeout: 3_600_000 }, async (t) => {
  const service = await startService(t, 'sqlite', {
    env: { ...UNTHROTTLED, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', HASH_WAIT_MAX_MS: '60000' },
  });
  await service.addUser('foo@bar.com', 'foobar');
  const statuses = new Map<number, number>();
  const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);

  const sendOne = async (request: Request) => {
    const reply = await send(service.url, request);
    count(reply.status);
    // The files of Swagger UI, below its own path, are a package's affair.
    const faults = request.path.startsWith(`${swaggerUi.path}/`) ? [] : checkReply(request, reply);
    if (reply.status >= 500) faults.push(`answered ${reply.status}`);
    if (faults.length > 0) throw new Error(faults.join('; '));
  };
  const sendBatch = fc.asyncProperty(fc.array(requests, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (batch) => {
    await Promise.all(batch.map(sendOne));
  });
  const sendRaw = fc.asyncProperty(rawBytes, async (bytes) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.end(bytes);
    for (const reply of parseReplies(await text(socket).catch(() => ''))) {
      count(reply.status);
      if (reply.status >= 500 || !reply.headers['x-request-id']) throw new Error(`answered ${reply.status}`);
    }
  });

  const raw = Math.round(REQUESTS * RAW_SHARE);
  const report = { seed: SEED, verbose: 1, endOnFailure: true };
  await fc.assert(sendBatch, { ...report, numRuns: Math.ceil((REQUESTS - raw) / AT_ONCE) });
  await fc.assert(sendRaw, { ...report, numRuns: raw });
  t.comment(`by status: ${JSON.stringify(Object.fromEntries([...statuses].sort(([a], [b]) => a - b)))}`);
  for (const status of [200, 400, 401, 404, 405, 413, 415]) t.ok(statuses.get(status), `${status} was among them`);
  t.equal((await service.request({ path: '/livez' })).status, 200);
});
