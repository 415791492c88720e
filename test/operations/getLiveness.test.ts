import t from 'tap';
import { startService } from '../support/service.js';

t.test('when the process answers', async (t) => {
  const service = await startService(t, 'sqlite');
  const reply = await service.request({ path: '/livez' });
  t.equal(reply.status, 200);
  t.equal(reply.body, '{"status":"ok"}');

  const head = await service.request({ method: 'HEAD', path: '/livez' });
  t.equal(head.status, 200);
  t.equal(head.headers['content-length'], reply.headers['content-length']);

  t.equal((await service.request({ path: '/livez?probe=1' })).status, 200);
});

t.test('another method', async (t) => {
  const service = await startService(t, 'sqlite');
  const reply = await service.request({ method: 'POST', path: '/livez' });
  t.equal(reply.status, 405);
  t.equal(reply.headers.allow, 'GET, HEAD');
});
