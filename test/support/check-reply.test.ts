import t from 'tap';
import { checkReply } from './check-reply.js';
import type { Reply } from './send.js';

const login = { method: 'POST', path: '/api/v1/sessions' };
const body = '{"message":"Invalid credentials"}';
const headers = {
  'x-frame-options': 'SAMEORIGIN',
  'x-xss-protection': '1; mode=block',
  'x-content-type-options': 'nosniff',
  'x-download-options': 'noopen',
  'x-permitted-cross-domain-policies': 'none',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-cache',
  'x-request-id': 'e1e4b0c2-dc0a-488b-afa1-c74afe237d1c',
  'x-runtime': '0.045999',
  'content-length': '33',
};

/** The seed's 401, with something changed. A header that is undefined is not sent. */
function reply(
  change: { status?: number; body?: string; headers?: { [name: string]: string | undefined } } = {},
): Reply {
  const sent = Object.entries({ ...headers, ...change.headers }).filter(([, value]) => value !== undefined);
  return {
    status: change.status ?? 401,
    headers: Object.fromEntries(sent),
    rawHeaders: sent.map(([name]) => name),
    body: change.body ?? body,
  };
}

function withBody(text: string, status?: number): Reply {
  return reply({ ...(status && { status }), body: text, headers: { 'content-length': String(text.length) } });
}

t.test('lets the seed’s own reply pass', async (t) => {
  t.same(checkReply(login, reply()), []);
});

const broken: [violation: string, reply: Reply, said: RegExp][] = [
  ['an undeclared status', reply({ status: 402 }), /^status 402 is not declared/],
  ['a missing header', reply({ headers: { 'x-frame-options': undefined } }), /^x-frame-options is missing$/],
  [
    'another value of a fixed header',
    reply({ headers: { 'x-frame-options': 'DENY' } }),
    /^x-frame-options .*SAMEORIGIN/,
  ],
  ['a malformed header', reply({ headers: { 'x-runtime': '0.04' } }), /^x-runtime .*pattern/],
  ['an undeclared header', reply({ headers: { server: 'x' } }), /^server is undeclared$/],
  ['a header of another status', reply({ headers: { etag: 'W/"0"' } }), /^etag is undeclared$/],
  [
    'a header that is sent twice',
    { ...reply(), rawHeaders: [...reply().rawHeaders, 'X-Runtime'] },
    /^x-runtime is sent twice$/,
  ],
  ['another content type', reply({ headers: { 'content-type': 'text/plain' } }), /^content-type is not/],
  ['a wrong content length', reply({ headers: { 'content-length': '34' } }), /^content-length is not/],
  ['a body that is not JSON', withBody('Invalid credentials'), /^the body is not JSON$/],
  ['a body without a required field', withBody('{}'), /^the body .*required.*message/],
  ['another value of a fixed field', withBody('{"message":"No"}'), /^the body .*Invalid credentials/],
  ['an undeclared field', withBody('{"message":"Invalid credentials","id":1}'), /^the body .*additionalProperty.*id/],
  [
    'an undeclared field of a field',
    withBody('{"message":"","errors":[{"field":"","message":"","code":"","id":1}]}', 400),
    /id/,
  ],
];

for (const [violation, violating, said] of broken) {
  t.test(`tells ${violation}`, async (t) => {
    const violations = checkReply(login, violating);
    t.equal(violations.length, 1, violations.join('; '));
    t.match(violations[0], said);
  });
}

t.test('knows which operation a request reaches', async (t) => {
  t.match(checkReply({ path: '/livez' }, reply()), [/status 401 is not declared for GET \/livez/]);
  t.match(checkReply({ path: '/nowhere' }, reply()), [/status 401 is not declared for GET \/nowhere/]);
  t.match(checkReply({ path: '/livez', method: 'PUT' }, withBody('{"message":""}', 405)), [/^allow is missing$/]);
  t.match(checkReply(login, reply(), { outside: true }), [/status 401 is not declared/]);
});

t.test('tells a body in a reply to HEAD', async (t) => {
  const health = withBody('{"status":"ok"}', 200);
  t.same(checkReply({ path: '/livez' }, health), []);
  t.same(checkReply({ path: '/livez', method: 'HEAD' }, health), ['a reply to HEAD has a body']);
});
