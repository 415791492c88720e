import { createHash, createHmac } from 'node:crypto';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { claimsOf } from '../support/keys.js';
import { FORM, JSON_TYPE, type Request } from '../support/send.js';
import { createDatabase, execute, SECRET, startService } from '../support/service.js';

const NOW = 1_575_397_455_999;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const login = { method: 'POST', path: '/api/v1/sessions' };
const correct: Request = { ...login, headers: FORM, body: 'email=foo%40bar.com&password=foobar' };
const incorrect: Request = { ...login, headers: FORM, body: 'email=nonexist%40mail.com&password=toets' };

function form(fields: { [name: string]: string }): Request {
  return { ...login, headers: FORM, body: new URLSearchParams(fields).toString() };
}

function json(value: unknown): Request {
  return { ...login, headers: JSON_TYPE, body: typeof value === 'string' ? value : JSON.stringify(value) };
}

/** A token made by hand: RFC 7515, section 3.1. */
function tokenOf(userId: number, exp: number, sid: string): string {
  const encode = (text: string) => Buffer.from(text).toString('base64url');
  const signed = `${encode('{"alg":"HS256"}')}.${encode(`{"user_id":${userId},"exp":${exp},"sid":"${sid}"}`)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Sessions on ${provider}`, async (t) => {
    const service = await startService(t, provider, { now: () => NOW });
    const id = await service.addUser('foo@bar.com', 'foobar');

    t.test('when user details are correct', async (t) => {
      const reply = await service.documented(t.name, correct);
      t.equal(reply.status, 200);
      const { sid } = claimsOf(JSON.parse(reply.body).auth_token);
      t.match(sid, UUID);
      t.equal(reply.body, `{"auth_token":"${tokenOf(id, 1_575_397_455 + 86_400, sid)}"}`, 'the token, to the byte');
      t.equal(reply.headers['content-type'], 'application/json; charset=utf-8');
      t.equal(reply.headers['cache-control'], 'max-age=0, private, must-revalidate');
      const digest = createHash('sha256').update(reply.body).digest('hex');
      t.equal(reply.headers.etag, `W/"${digest.slice(0, 32)}"`);
      t.match(reply.headers['x-request-id'], UUID);
    });

    t.test('when user details are incorrect', async (t) => {
      const reply = await service.documented(t.name, incorrect);
      t.equal(reply.status, 401);
      t.equal(reply.body, '{"message":"Invalid credentials"}');
      t.equal(reply.headers['content-type'], 'application/json; charset=utf-8');
      t.equal(reply.headers['cache-control'], 'no-cache');
      t.equal(reply.headers.etag, undefined);
    });

    t.test('when the password is wrong, or the user is disabled', async (t) => {
      const wrong = await service.request(form({ email: 'foo@bar.com', password: 'Foobar' }));
      t.equal(wrong.status, 401);
      t.equal(wrong.body, '{"message":"Invalid credentials"}');

      const gone = { email: 'gone@bar.com', password: 'foobar' };
      const goneId = await service.addUser(gone.email, gone.password);
      t.equal((await service.request(form(gone))).status, 200);
      await service.disableUser(goneId);
      const disabled = await service.request(form(gone));
      t.equal(disabled.status, 401);
      t.equal(disabled.body, wrong.body);
      t.same(disabled.rawHeaders, wrong.rawHeaders);
    });

    t.test('when the email differs in case and surrounding space', async (t) => {
      for (const email of ['FOO@bar.COM', '  foo@bar.com ', '\tfoo@BAR.com\n']) {
        t.equal((await service.request(form({ email, password: 'foobar' }))).status, 200, JSON.stringify(email));
      }
    });

    t.test('when user details are sent as JSON', async (t) => {
      const reply = await service.documented(t.name, json({ email: 'foo@bar.com', password: 'foobar' }));
      const { user_id, exp } = claimsOf(JSON.parse(reply.body).auth_token);
      t.same({ user_id, exp }, { user_id: id, exp: 1_575_397_455 + 86_400 });
      t.equal((await service.request(json({ email: 'foo@bar.com', password: 'x' }))).status, 401);
      const repeated = json('{"email":"a@b","password":"foobar","email":"foo@bar.com"}');
      t.equal((await service.request(repeated)).status, 200, 'of a repeated member the last counts, as for JSON.parse');
    });

    t.test('when there are more fields than the contract lists', async (t) => {
      const more = { email: 'foo@bar.com', password: 'foobar', utf8: '✓', commit: 'Log in' };
      t.equal((await service.request(form(more))).status, 200);
      t.equal((await service.request(json({ ...more, remembered: { me: [1] } }))).status, 200);
    });

    t.test('when the password has any Unicode, and as many characters as the contract lets it', async (t) => {
      const passwords = ['пароль', 'p&=+% ä', '🔑'.repeat(1024), ' leading and trailing ', 'line\nbreak'];
      for (const [index, password] of passwords.entries()) {
        const email = `unicode${index}@bar.com`;
        await service.addUser(email, password);
        t.equal((await service.request(form({ email, password }))).status, 200, 'as a form');
        t.equal((await service.request(json({ email, password }))).status, 200, 'as JSON');
        t.equal((await service.request(form({ email, password: password.trim().slice(0, -1) }))).status, 401);
      }
    });

    t.test('when the media type is spelled in other ways', async (t) => {
      for (const type of ['application/x-www-form-urlencoded; charset=UTF-8', 'Application/X-WWW-Form-Urlencoded']) {
        t.equal((await service.request({ ...correct, headers: { 'content-type': type } })).status, 200, type);
      }
    });

    t.test('gives the caller’s own X-Request-Id back, cut to what is safe', async (t) => {
      const ids: [sent: string, returned: RegExp][] = [
        ['e1e4b0c2-dc0a-488b-afa1-c74afe237d1c', /^e1e4b0c2-dc0a-488b-afa1-c74afe237d1c$/],
        ['a b<c>d_e/é', /^abcd_e$/],
        ['x'.repeat(300), /^x{255}$/],
        ['<>', /^[\da-f-]{36}$/],
      ];
      for (const [sent, returned] of ids) {
        const headers = { ...FORM, 'x-request-id': sent };
        t.match((await service.request({ ...correct, headers })).headers['x-request-id'], returned);
        t.match((await service.request({ ...incorrect, headers })).headers['x-request-id'], returned);
      }
    });
  });
}

t.test('what a login refuses', async (t) => {
  const service = await startService(t, 'sqlite');
  await service.addUser('foo@bar.com', 'foobar');
  const email = 'foo@bar.com';
  const password = 'foobar';
  const invalidUtf8 = Buffer.from([...Buffer.from('email=foo@bar.com&password='), 0xff]);
  const long = `${'a'.repeat(243)}@example.com`;

  /** A bad request, and the fields that are to blame. */
  const bad: [what: string, request: Request, blamed: { [field: string]: RegExp }][] = [
    ['no body', { ...login }, { email: /is required/, password: /is required/ }],
    ['an empty form', form({}), { email: /is required/, password: /is required/ }],
    ['an empty JSON object', json({}), { email: /is required/, password: /is required/ }],
    ['a missing email', form({ password }), { email: /is required/ }],
    ['a missing password', form({ email }), { password: /is required/ }],
    ['an empty email', form({ email: '', password }), { email: /must look like an email address/ }],
    ['an empty password', form({ email, password: '' }), { password: /must not be empty/ }],
    ['an empty password in JSON', json({ email, password: '' }), { password: /must not be empty/ }],
    ['a repeated email', { ...correct, body: `${correct.body}&email=a%40b` }, { email: /must be one string/ }],
    ['a repeated password', { ...correct, body: `${correct.body}&password=x` }, { password: /must be one string/ }],
    ['an email over 254 characters', form({ email: long, password }), { email: /at most 254 characters/ }],
    ['a password over 1024', form({ email, password: 'p'.repeat(1025) }), { password: /at most 1024 characters/ }],
    ['an email without @', form({ email: 'foobar.com', password }), { email: /must look like an email address/ }],
    ['an email with two @', form({ email: 'foo@@bar', password }), { email: /must look like an email address/ }],
    ['an email with a space', form({ email: 'fo o@bar', password }), { email: /must look like an email address/ }],
    ['a NUL in the email', form({ email: 'foo\0@bar', password }), { email: /must look like an email address/ }],
    ['a NUL in the password', form({ email, password: 'foo\0bar' }), { password: /must not contain NUL/ }],
    ['a NUL in JSON', json({ email, password: 'foo\0bar' }), { password: /must not contain NUL/ }],
    ['both fields bad', form({ email: 'x', password: '' }), { email: /email address/, password: /be empty/ }],
    ['remember that is neither', form({ email, password, remember: 'on' }), { remember: /must be true or false/ }],
    ['remember as text in JSON', json({ email, password, remember: 'true' }), { remember: /must be true or false/ }],
    ['a number', json({ email, password: 12345678 }), { password: /must be one string/ }],
    ['a null', json({ email: null, password }), { email: /must be one string/ }],
    ['a list', json({ email, password: ['foobar'] }), { password: /must be one string/ }],
    ['an object', json({ email: { $ne: '' }, password }), { email: /must be one string/ }],
    ['half a character in JSON', json(`{"email":"${email}","password":"\\ud800"}`), { password: /valid Unicode/ }],
    [
      'bad percent-encoding',
      { ...correct, body: 'email=foo%40bar.com&password=100%' },
      { password: /percent-encoded/ },
    ],
    ['bad percent-encoding of a name', { ...correct, body: `${correct.body}&%zz=1` }, {}],
    [
      'percent-encoded invalid UTF-8',
      { ...correct, body: 'email=a%40b&password=%ff' },
      { password: /percent-encoded/ },
    ],
    ['invalid UTF-8', { ...correct, body: invalidUtf8 }, {}],
    ['invalid UTF-8 in JSON', { ...json({}), body: Buffer.from([0x22, 0xff, 0x22]) }, {}],
    ['bad JSON', json(`{"email":"${email}","password":"${password}"`), {}],
    ['JSON that is no object', json([email, password]), {}],
    ['an empty JSON body', json(''), {}],
    [
      'a prototype in JSON',
      json(`{"__proto__":{"email":"${email}"},"password":"${password}"}`),
      { email: /is required/ },
    ],
  ];
  for (const [what, request, blamed] of bad) {
    t.test(`400: ${what}`, async (t) => {
      const reply = await service.request(request);
      t.equal(reply.status, 400);
      const { errors = [] } = JSON.parse(reply.body);
      t.same(errors.map(({ field }: { field: string }) => field).sort(), Object.keys(blamed).sort());
      t.match(Object.fromEntries(errors.map(({ field, message }: Record<string, string>) => [field, message])), blamed);
      t.notMatch(reply.body, password, 'the password is not echoed');
    });
  }

  t.test('when user details are incomplete or malformed', async (t) => {
    t.equal((await service.documented(t.name, form({ email: 'foobar.com' }))).status, 400);
  });

  t.test('when user details are sent as a content type that is not listed', async (t) => {
    const plain = { ...correct, headers: { 'content-type': 'text/plain' } };
    t.equal((await service.documented(t.name, plain)).status, 415);
  });

  t.test('when the body is longer than 16 KiB', async (t) => {
    t.equal((await service.documented(t.name, { ...correct, body: `x=${'0'.repeat(16_384)}` })).status, 413);
  });

  t.test('when the method is not allowed', async (t) => {
    t.equal((await service.documented(t.name, { method: 'GET', path: login.path })).status, 405);
  });

  t.test('lets a login pass at each limit', async (t) => {
    for (const fields of [
      { email: long.slice(1), password },
      { email, password: 'p'.repeat(1024) },
      { email: 'a@b', password: 'p' },
    ]) {
      t.equal((await service.request(form(fields))).status, 401);
    }
    const padding = 'p'.repeat(16_384 - `${correct.body}&x=`.length);
    t.equal((await service.request({ ...correct, body: `${correct.body}&x=${padding}` })).status, 200, '16 KiB');
  });

  t.test('413: a body over 16 KiB', async (t) => {
    const body = `${correct.body}&x=${'p'.repeat(16_385 - `${correct.body}&x=`.length)}`;
    t.equal((await service.request({ ...correct, body })).status, 413);
    t.equal((await service.request(json(`{"x":"${'p'.repeat(20_000)}"}`))).status, 413);
    const chunked = { ...FORM, 'transfer-encoding': 'chunked' };
    t.equal((await service.request({ ...correct, headers: chunked, body })).status, 413, 'of unknown length');
  });

  t.test('415: a content type that the contract does not list', async (t) => {
    const types = ['text/plain', 'multipart/form-data; boundary=x', 'application/xml', 'application/jsonx', 'text', ''];
    for (const type of types) {
      const reply = await service.request({ ...correct, headers: { 'content-type': type } });
      t.equal(reply.status, 415, type);
      t.equal(reply.headers['accept-post'], 'application/json, application/x-www-form-urlencoded');
    }
    t.equal((await service.request({ ...correct, headers: {} })).status, 415, 'none at all');
    t.equal((await service.request({ ...login, headers: { 'content-type': 'text/plain' } })).status, 415, 'no body');
    const gzip = { ...FORM, 'content-encoding': 'gzip' };
    t.equal((await service.request({ ...correct, headers: gzip })).status, 415, 'a content encoding');
    t.equal(
      (await service.request({ ...correct, headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(99_999) }))
        .status,
      415,
      'before the body is read',
    );
  });

  t.test('405: another method', async (t) => {
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const reply = await service.request({ method, path: login.path });
      t.equal(reply.status, 405, method);
      t.equal(reply.headers.allow, 'POST');
    }
    t.equal((await service.request({ ...correct, method: 'PUT', body: 'x'.repeat(99_999) })).status, 405);
  });
});

t.test('when too many logins have failed', async (t) => {
  const service = await startService(t, 'sqlite', { now: () => NOW, env: { THROTTLE_EMAIL_ADDRESS: '1' } });
  t.equal((await service.request(incorrect)).status, 401);
  const reply = await service.documented(t.name, incorrect);
  t.equal(reply.status, 429);
  t.equal(reply.headers['retry-after'], '1');
});

t.test('when the database fails', async (t) => {
  const DATABASE_URL = await createDatabase(t, 'sqlite');
  const service = await startService(t, 'sqlite', { databaseUrl: DATABASE_URL });
  const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
  await execute(databaseUrl, 'ALTER TABLE users RENAME TO moved');
  const reply = await service.documented(t.name, correct);
  t.equal(reply.status, 503);
  t.equal(reply.headers['retry-after'], '1');
});
