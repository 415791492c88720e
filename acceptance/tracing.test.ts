import { readdir, readFile } from 'node:fs/promises';
import t from 'tap';
import { type Running, run, start, stop } from '../test/support/executable.js';
import { FORM, type Reply, send } from '../test/support/send.js';
import { attributesOf, type Span, spansIn, startCollector } from './collector.js';

const EMAIL = 'somebody@secret.example';
const PASSWORD = 'pa55word-that-nobody-should-see';
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLERS_SPAN_ID = 'b7ad6b7169203331';
const SAMPLED = `00-${TRACE_ID}-${CALLERS_SPAN_ID}-01`;

function login(service: Running, headers: object = {}, email = EMAIL): Promise<Reply> {
  const body = new URLSearchParams({ email, password: PASSWORD }).toString();
  return send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: { ...FORM, ...headers }, body });
}

function answeredIn(service: Running) {
  const lines = service.output().split('\n');
  return lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'answered');
}

/** What V8 has loaded in a process that has ended, by its own account: one for each thread. */
async function scriptsLoaded(directory: string): Promise<string[]> {
  const files = await readdir(directory);
  const accounts = await Promise.all(files.map((file) => readFile(`${directory}/${file}`, 'utf8')));
  return accounts.flatMap((account) => JSON.parse(account).result.map(({ url }: { url: string }) => url));
}

/** What is loaded only where tracing is on. */
const TRACING = /@opentelemetry|\/telemetry\/(tracing|request-spans)\.js/;

t.test('a login is a span below its caller’s, with what took its time below it', async (t) => {
  const collector = await startCollector(t);
  const cwd = t.testdir();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=of%20the%20collector',
    OTEL_SERVICE_NAME: 'logins',
    // Two logins at once and none that waits.
    UV_THREADPOOL_SIZE: '1',
    HASH_QUEUE_MAX: '0',
  };
  await run(['users', 'add', EMAIL], { cwd, env, input: PASSWORD });
  const service = await start(t, { cwd, env });
  const { status, body } = await login(service, { traceparent: SAMPLED });
  t.equal(status, 200);
  await login(service, { traceparent: `00-${TRACE_ID}-${CALLERS_SPAN_ID}-00`, 'x-request-id': 'unsampled' });
  await login(service, { traceparent: `00-${'0'.repeat(32)}-${CALLERS_SPAN_ID}-01`, 'x-request-id': 'malformed' });
  const hidden = {
    host: `${PASSWORD}.example`,
    'user-agent': PASSWORD,
    cookie: PASSWORD,
    authorization: `Bearer ${PASSWORD}`,
  };
  await send(service.url, { path: `/${EMAIL}/${PASSWORD}?password=${PASSWORD}`, headers: hidden });
  await send(service.url, { path: `/livez?password=${PASSWORD}`, headers: hidden });
  const storm = await Promise.all(Array.from({ length: 6 }, () => login(service)));
  t.ok(storm.some(({ status }) => status === 503));
  await stop(t, service);

  const spans = spansIn(collector.exports);
  const lines = answeredIn(service);
  const server = spans.filter(({ kind }) => kind === 2);
  const [line] = lines;
  const span = server.find(({ spanId }) => spanId === line.span_id);
  t.match(span, { name: 'POST /api/v1/sessions', traceId: TRACE_ID, parentSpanId: CALLERS_SPAN_ID });
  t.equal(line.trace_id, TRACE_ID);
  t.match(attributesOf(span), {
    'http.request.method': 'POST',
    'http.route': '/api/v1/sessions',
    'http.response.status_code': 200,
    'url.path': '/api/v1/sessions',
    'url.scheme': 'http',
    'client.address': '127.0.0.1',
    'network.protocol.version': '1.1',
  });
  const below = (parent: string | undefined) =>
    spans.filter(({ parentSpanId, traceId }) => traceId === TRACE_ID && parentSpanId === parent);
  const names = (list: Span[]) => list.map(({ name }) => name).sort();
  // The first login also reads the key of the stand-ins, and proves that a failure could be counted.
  const first = ['SELECT secrets', 'SELECT throttle_counters', 'SELECT users', 'UPSERT throttle_counters'];
  t.same(names(below(span?.spanId)), [...first, 'SELECT users', 'hash queue', 'INSERT sessions'].sort());
  const queue = below(span?.spanId).find(({ name }) => name === 'hash queue');
  t.same(names(below(queue?.spanId)), ['hash']);
  const query = spans.find(({ name }) => name === 'SELECT users');
  t.match(attributesOf(query), { 'db.system.name': 'sqlite', 'db.collection.name': 'users' });

  const unsampled = lines.find(({ requestId }) => requestId === 'unsampled');
  t.equal(unsampled.trace_id, TRACE_ID, 'the trace of a request that is not sampled is in the log');
  t.notOk(
    spans.some(({ spanId, parentSpanId }) => [spanId, parentSpanId].includes(unsampled.span_id)),
    'and its spans are not sent',
  );
  const malformed = lines.find(({ requestId }) => requestId === 'malformed');
  const root = server.find(({ spanId }) => spanId === malformed.span_id);
  t.notOk(root?.parentSpanId);
  t.match(malformed.trace_id, /^(?!0af76519)[\da-f]{32}$/);
  t.equal(root?.traceId, malformed.trace_id);

  const unknown = server.find((span) => attributesOf(span)['http.response.status_code'] === 404);
  t.equal(unknown?.name, 'GET');
  t.notOk('http.route' in attributesOf(unknown));
  const refused = server.find((span) => attributesOf(span)['http.response.status_code'] === 503);
  t.match(refused, { status: { code: 2 } });
  t.equal(attributesOf(refused)['error.type'], '503');
  t.same(
    spans.filter(({ parentSpanId }) => parentSpanId === refused?.spanId),
    [],
    'before any query',
  );
  t.equal(server.length, lines.length - 1, 'one for each request that is sampled');

  const sent = Buffer.concat(collector.exports.map((sent) => sent.body)).toString();
  for (const secret of [EMAIL, PASSWORD, 'somebody', 'argon2id', 'eyJ', JSON.parse(body).auth_token]) {
    t.notOk(sent.includes(secret), `no ${secret}`);
    t.notOk(sent.includes(encodeURIComponent(secret)));
  }
  t.match(sent, /"service.name","value":\{"stringValue":"logins"\}/);
  t.match(collector.exports[0], { path: '/v1/traces', headers: { 'api-key': 'of the collector' } });
});

t.test('speaks protobuf unless told otherwise', async (t) => {
  const collector = await startCollector(t);
  const cwd = t.testdir();
  const env = {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/here`,
    NODE_V8_COVERAGE: `${cwd}/loaded`,
  };
  const service = await start(t, { cwd, env });
  t.equal((await login(service, { traceparent: SAMPLED })).status, 401);
  await stop(t, service);
  const [first] = collector.exports;
  t.match(first, { path: '/here', headers: { 'content-type': 'application/x-protobuf' } });
  t.ok(first?.body.includes(Buffer.from(TRACE_ID, 'hex')));
  t.ok(first?.body.includes('sessions-api'), 'under the name of the service');
  const scripts = await scriptsLoaded(`${cwd}/loaded`);
  for (const part of ['@opentelemetry', '/telemetry/tracing.js', '/telemetry/request-spans.js']) {
    t.ok(
      scripts.some((url) => url.includes(part) && TRACING.test(url)),
      `${part} is loaded`,
    );
  }
});

t.test('off, nothing of it is loaded, nothing sent, and a caller’s trace is in the log', async (t) => {
  const collector = await startCollector(t);
  const cwd = t.testdir();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_SDK_DISABLED: 'true',
    NODE_V8_COVERAGE: `${cwd}/loaded`,
  };
  const service = await start(t, { cwd, env });
  t.equal((await login(service, { traceparent: SAMPLED })).status, 401);
  t.equal((await login(service, { traceparent: SAMPLED.replace('00-', 'ff-') })).status, 401);
  t.equal((await login(service)).status, 401);
  await stop(t, service);
  t.same(
    answeredIn(service).map(({ trace_id, span_id }) => [trace_id, span_id]),
    [
      [TRACE_ID, undefined],
      [undefined, undefined],
      [undefined, undefined],
    ],
  );
  t.equal(collector.connections.count, 0);
  const scripts = await scriptsLoaded(`${cwd}/loaded`);
  t.ok(scripts.some((url) => url.includes('/fastify/')));
  t.same(
    scripts.filter((url) => TRACING.test(url)),
    [],
  );
});
