import t from 'tap';
import { bearer } from '../support/keys.js';
import { startService } from '../support/service.js';
import { getToken } from '../support/steady-logins.js';

const forwardAuth = { path: '/api/v1/forward-auth' };

t.test('Api::V1::ForwardAuth', async (t) => {
  const service = await startService(t, 'sqlite', { now: () => 1_575_397_455_999 });
  const id = await service.addUser('foo@bar.com', 'foobar');
  const headers = bearer(await getToken(service.request));

  t.test('when the request has a good token', async (t) => {
    const reply = await service.documented(t.name, { ...forwardAuth, headers });
    t.equal(reply.status, 200);
    t.equal(reply.headers['x-user-id'], String(id));
    t.equal(reply.body, '');
    t.equal(reply.headers['content-type'], undefined);
    const head = await service.request({ ...forwardAuth, method: 'HEAD', headers });
    t.match(head, { status: 200, headers: { 'x-user-id': String(id), 'content-length': '0' } });
  });

  t.test('when the request has no good token', async (t) => {
    const reply = await service.documented(t.name, forwardAuth);
    t.equal(reply.status, 401);
    t.equal(reply.headers['x-user-id'], undefined);
  });

  t.test('nothing else of the request is read', async (t) => {
    const spoofed = { 'x-user-id': '7', 'x-forwarded-method': 'DELETE', 'x-forwarded-uri': '/%zz', cookie: 'a=b' };
    const reply = await service.request({ path: `${forwardAuth.path}?user_id=7`, headers: { ...headers, ...spoofed } });
    t.match(reply, { status: 200, headers: { 'x-user-id': String(id) } });
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const refused = await service.request({ ...forwardAuth, method, headers });
      t.match(refused, { status: 405, headers: { allow: 'GET, HEAD' } });
    }
  });
});
