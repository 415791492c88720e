import t, { type Test } from 'tap';
import { ADMIN_SCHEME, loadContract } from '#built/contract/contract.js';
import { FORM, type Reply, type Request } from '../support/send.js';
import { type ServiceOptions, startService, UNTHROTTLED } from '../support/service.js';

const LISTED = ['https://app.example.com', 'http://localhost:5173'] as const;
const UNLISTED = [
  'https://evil.example.com',
  'https://app.example.com.evil.example',
  'https://app.example.com:8443',
  'http://app.example.com',
  'https://APP.example.com',
  LISTED.join(', '),
  'null',
  '*',
  '',
];
const CORS_ORIGINS = LISTED.join(',');

const login = {
  method: 'POST',
  path: '/api/v1/sessions',
  headers: FORM,
  body: 'email=foo%40bar.com&password=foobar',
};

/** Replies of many statuses, each by a request that gets it. */
const REQUESTS: { [status: number]: Request } = {
  200: login,
  400: { ...login, body: 'email=foo' },
  401: { ...login, body: 'email=foo%40bar.com&password=toets' },
  404: { path: '/nowhere' },
  405: { method: 'DELETE', path: login.path },
  413: { ...login, body: 'x'.repeat(20_000) },
  415: { ...login, headers: { 'content-type': 'text/plain' } },
};

async function startWithUser(t: Test, env: ServiceOptions['env'] = {}) {
  const service = await startService(t, 'sqlite', { env: { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '8', ...env } });
  await service.addUser('foo@bar.com', 'foobar');
  const ask = (request: Request, headers: Request['headers']): Promise<Reply> =>
    service.request({ ...request, headers: { ...request.headers, ...headers } });
  return { ask };
}

function corsHeaders({ headers }: Reply): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('access-control-') || name === 'vary');
}

const preflight = (origin: string) => ({
  origin,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'content-type',
});

t.test('pages of a listed origin may read every reply', async (t) => {
  const { ask } = await startWithUser(t, { CORS_ORIGINS });
  for (const origin of LISTED) {
    for (const [status, request] of Object.entries(REQUESTS)) {
      const reply = await ask(request, { origin });
      t.equal(reply.status, Number(status));
      t.match(reply.headers, { 'access-control-allow-origin': origin, vary: 'Origin' }, status);
      t.same(
        reply.headers['access-control-expose-headers']?.split(', ').sort(),
        [
          'Accept-Post',
          'Allow',
          'Content-Length',
          'ETag',
          'Retry-After',
          'WWW-Authenticate',
          'X-Request-Id',
          'X-Runtime',
          'X-User-Id',
        ],
        'and what its headers tell',
      );
    }
  }
  const page = await ask({ path: '/docs/nowhere' }, { origin: LISTED[0] });
  t.match(page, { status: 404, headers: { 'access-control-allow-origin': LISTED[0] } });
});

t.test('replies that say to come again', async (t) => {
  const [origin] = LISTED;
  const wrong = { ...login, body: 'email=foo%40bar.com&password=toets' };
  const { ask } = await startWithUser(t, { CORS_ORIGINS, THROTTLE_EMAIL_ADDRESS: '1' });
  await ask(wrong, { origin });
  const throttled = await ask(wrong, { origin });
  t.match(throttled, { status: 429, headers: { 'access-control-allow-origin': origin, 'retry-after': /^\d+$/ } });

  const oneHash = { BCRYPT_COST: '10', HASH_QUEUE_MAX: '0', UV_THREADPOOL_SIZE: '1' };
  const full = await startWithUser(t, { ...UNTHROTTLED, ...oneHash, CORS_ORIGINS });
  let refused: Reply | undefined;
  while (!refused) {
    const replies = await Promise.all(Array.from({ length: 8 }, () => full.ask(login, { origin })));
    refused = replies.find(({ status }) => status === 503);
  }
  t.match(refused, { headers: { 'access-control-allow-origin': origin, 'retry-after': /^\d+$/ } });
});

t.test('pages of any other origin may not', async (t) => {
  const { ask } = await startWithUser(t, { CORS_ORIGINS });
  for (const origin of UNLISTED) {
    for (const [status, request] of Object.entries(REQUESTS)) {
      const reply = await ask(request, { origin });
      t.equal(reply.status, Number(status));
      t.same(corsHeaders(reply), ['vary'], `${status} for ${origin}`);
    }
    const refused = await ask({ method: 'OPTIONS', path: login.path }, preflight(origin));
    t.match(refused, { status: 405, headers: { allow: 'POST', vary: 'Origin' } });
    t.same(corsHeaders(refused), ['vary'], origin);
  }
  t.same(corsHeaders(await ask(login, {})), ['vary'], 'nor is anything said to who names no origin');
});

/** All but the application's, see admin-token.test.ts. */
const operationsForPages = loadContract().operations.filter(
  ({ servedBy, securityScheme }) => !servedBy && securityScheme !== ADMIN_SCHEME,
);

/** What a fetch wrapper, axios and tracing send to each operation. */
const REQUEST_HEADERS = ['content-type', 'authorization', 'x-request-id', 'traceparent', 'tracestate'];

t.test('preflights', async (t) => {
  const { ask } = await startWithUser(t, { CORS_ORIGINS });
  const [origin] = LISTED;
  const options = { method: 'OPTIONS', path: login.path };
  const allowed = await ask(options, preflight(origin));
  t.match(allowed, {
    status: 204,
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'POST',
      'access-control-max-age': '7200',
      vary: 'Origin',
    },
  });
  t.notOk(allowed.headers['access-control-allow-credentials']);
  t.notOk(allowed.headers['content-length'], 'as RFC 9110 has it');

  const nowhere = await ask({ ...options, path: '/nowhere' }, preflight(origin));
  t.match(nowhere, { status: 404, headers: { 'access-control-allow-origin': origin } });
  const noPreflight = await ask(options, { origin });
  t.match(noPreflight, { status: 405, headers: { allow: 'POST', 'access-control-allow-origin': origin } });
  t.match(await ask(options, {}), { status: 405, headers: { allow: 'POST' } });
});

t.test('preflights of every operation allow the same request headers', async (t) => {
  const { ask } = await startWithUser(t, { CORS_ORIGINS });
  const [origin] = LISTED;
  for (const { id, method, path } of operationsForPages) {
    const { status, headers } = await ask(
      { method: 'OPTIONS', path: path.replace('{sid}', '6d1fbcb8-4bd1-4d5c-a2b3-0a2d5d4a7c2e') },
      {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': REQUEST_HEADERS.join(','),
      },
    );
    t.equal(status, 204, id);
    t.equal(headers['access-control-allow-origin'], origin);
    t.ok(headers['access-control-allow-methods']?.split(', ').includes(method), method);
    t.same(headers['access-control-allow-headers']?.toLowerCase().split(', '), REQUEST_HEADERS);
  }
});

t.test('off, the wire knows nothing of it', async (t) => {
  const { ask } = await startWithUser(t);
  const [origin] = LISTED;
  for (const [status, request] of Object.entries(REQUESTS)) {
    const reply = await ask(request, { origin });
    t.equal(reply.status, Number(status));
    t.same(corsHeaders(reply), [], status);
  }
  const refused = await ask({ method: 'OPTIONS', path: login.path }, preflight(origin));
  t.match(refused, { status: 405, headers: { allow: 'POST' } });
  t.same(corsHeaders(refused), []);
});
