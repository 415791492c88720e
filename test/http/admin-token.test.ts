import t from 'tap';
import { ADMIN_SCHEME, loadContract } from '#built/contract/contract.js';
import { ADMIN_TOKEN, adminRequest, PASSWORD, startApplication } from '../support/application.js';
import { bearer } from '../support/keys.js';
import { startService } from '../support/service.js';

const OTHER_TOKEN = 'another-admin-token-for-the-rotation';
const ORIGIN = 'https://app.example.com';

/** A request of each operation that needs the admin token. */
const requests = loadContract()
  .operations.filter(({ securityScheme }) => securityScheme === ADMIN_SCHEME)
  .map(({ id, method, path }) => ({
    id,
    method,
    path: path.replace('{id}', '1').replace('{sid}', '6d1fbcb8-4bd1-4d5c-a2b3-0a2d5d4a7c2e'),
  }));

t.test('without an admin token, nothing is seen or changed', async (t) => {
  const { admin, create, request, tokenOf } = await startApplication(t, 'sqlite');
  await create('foo@bar.com');
  const before = await admin('GET', '/1', 200);
  const token = await tokenOf('foo@bar.com');
  t.equal(requests.length, 12);
  for (const { id, ...asked } of requests) {
    const none = await request(asked);
    t.equal(none.status, 401, `${id} without a token`);
    t.equal(none.headers['www-authenticate'], 'Bearer realm="admin"');
    t.same(JSON.parse(none.body), { message: 'Unauthorized', code: 'unauthorized' });
    for (const wrong of [token, ADMIN_TOKEN.slice(1), `${ADMIN_TOKEN}x`, ADMIN_TOKEN.toUpperCase()]) {
      const reply = await request({ ...asked, headers: bearer(wrong) });
      t.equal(reply.status, 401, `${id} with a wrong token`);
      t.equal(reply.headers['www-authenticate'], 'Bearer realm="admin", error="invalid_token"');
    }
  }
  const { last_login_at, ...after } = await admin('GET', '/1', 200);
  t.same(after, before);
});

t.test('each token of the list is good', async (t) => {
  const env = { ADMIN_TOKENS: `${ADMIN_TOKEN}, ${OTHER_TOKEN}` };
  const { request } = await startApplication(t, 'sqlite', { env });
  for (const token of [ADMIN_TOKEN, OTHER_TOKEN])
    t.equal((await request(adminRequest('GET', '', undefined, token))).status, 200);
});

t.test('where ADMIN_TOKENS is unset, none is', async (t) => {
  const service = await startService(t, 'sqlite');
  for (const { id, ...asked } of requests)
    t.equal((await service.request({ ...asked, headers: bearer(ADMIN_TOKEN) })).status, 401, id);
});

t.test('pages of other origins do not reach the operations', async (t) => {
  const { url, post } = await startApplication(t, 'sqlite', { env: { CORS_ORIGINS: ORIGIN } });
  const across = { origin: ORIGIN, 'access-control-request-method': 'POST' };
  for (const { id, method, path } of requests) {
    const preflight = await fetch(`${url}${path}`, { method: 'OPTIONS', headers: across });
    t.equal(preflight.status, 405, id);
    const reply = await fetch(`${url}${path}`, { method, headers: { origin: ORIGIN, ...bearer(ADMIN_TOKEN) } });
    for (const { headers } of [preflight, reply]) t.equal(headers.get('access-control-allow-origin'), null, id);
  }
  t.equal((await post('/email/confirm', { token: 'ec_x' })).headers['access-control-allow-origin'], undefined);
  const own = await fetch(`${url}/api/v1/user`, { headers: { origin: ORIGIN } });
  t.equal(own.headers.get('access-control-allow-origin'), ORIGIN, 'those of a user do');
});

t.test('a change of a user is one line of the log, and says by whom', async (t) => {
  const lines: { [field: string]: unknown }[] = [];
  const logTo = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const { admin, post, tokenOf } = await startApplication(t, 'sqlite', { logTo });
  const { id } = await admin('POST', '', 201, { email: 'foo@bar.com', password: PASSWORD });
  await post('/password', { current_password: PASSWORD, password: 'battery staple' }, await tokenOf('foo@bar.com'));
  const { token } = await admin('POST', `/${id}/password-resets`, 201);
  await post('/password/reset', { token, password: 'staple battery' });
  await admin('DELETE', `/${id}`, 204);
  const events = lines.filter(({ event }) => event !== undefined);
  const byAdmin = /^admin:[\da-f]{8}$/;
  t.match(events, [
    { event: 'user_created', userId: id, by: byAdmin, operationId: 'createUser' },
    { event: 'password_changed', userId: id, by: `user:${id}` },
    { event: 'password_reset_created', userId: id, by: byAdmin },
    { event: 'password_reset', userId: id, by: `user:${id}` },
    { event: 'user_deleted', userId: id, by: byAdmin },
  ]);
  t.equal(events.length, 5);
  const text = JSON.stringify(lines);
  for (const secret of [ADMIN_TOKEN, PASSWORD, 'staple', token]) t.notMatch(text, secret);
});
