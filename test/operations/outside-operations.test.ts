import t from 'tap';
import { FORM } from '../support/send.js';
import { startService } from '../support/service.js';

t.test('requests that reach no operation', async (t) => {
  const service = await startService(t, 'sqlite');

  for (const path of ['/', '/api/v1/sessions/', '/api/v1', '/API/v1/sessions', '/livezz', '/docs/x', '/?a=/livez']) {
    for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS']) {
      const reply = await service.request({ method, path });
      t.equal(reply.status, 404, `${method} ${path}`);
      if (method !== 'HEAD') t.equal(reply.body, '{"message":"Not found","code":"not_found"}');
    }
  }

  t.equal(
    (await service.request({ method: 'POST', path: '/nowhere', headers: FORM, body: 'x'.repeat(99_999) })).status,
    404,
  );
  t.equal(
    (await service.request({ method: 'POST', path: '/nowhere', headers: { 'content-type': '' }, body: 'x' })).status,
    404,
  );

  const unreadable = await service.request({ path: '/%zz', headers: { 'x-request-id': 'mine' } });
  t.equal(unreadable.status, 400);
  t.equal(unreadable.body, '{"message":"Bad request","code":"bad_request"}');
  t.equal(unreadable.headers['x-request-id'], 'mine');
});
