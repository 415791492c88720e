import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { startService } from '../support/service.js';

for (const provider of PROVIDERS) {
  t.test(`when the database answers on ${provider}`, async (t) => {
    const service = await startService(t, provider);
    const reply = await service.request({ path: '/readyz' });
    t.equal(reply.status, 200);
    t.equal(reply.body, '{"status":"ok"}');
    t.equal((await service.request({ method: 'HEAD', path: '/readyz' })).status, 200);
    t.equal((await service.request({ method: 'DELETE', path: '/readyz' })).headers.allow, 'GET, HEAD');
  });
}
