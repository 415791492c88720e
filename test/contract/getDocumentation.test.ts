import t from 'tap';
import { parse } from 'yaml';
import { send } from '../send.js';
import { startService } from '../service.js';

t.test('Swagger UI', async (t) => {
  const service = await startService(t, 'sqlite');
  const page = await service.request({ path: '/docs' });
  t.equal(page.status, 200);
  t.equal((await service.request({ method: 'HEAD', path: '/docs' })).status, 200);
  t.equal((await service.request({ method: 'POST', path: '/docs' })).headers.allow, 'GET, HEAD');

  const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
  t.ok(files.length > 3);
  for (const file of files) {
    t.match(file, /^\.?\/(docs\/)?static\//, 'nothing is loaded from another host');
    const reply = await send(service.url, { path: new URL(file, `${service.url}/`).pathname });
    t.equal(reply.status, 200, file);
    t.equal(reply.headers['content-security-policy'], page.headers['content-security-policy']);
    t.equal(reply.headers['x-frame-options'], 'SAMEORIGIN');
  }

  const contract = await service.request({ path: '/openapi.yaml' });
  const shown = await send(service.url, { path: '/docs/json' });
  t.same(JSON.parse(shown.body), parse(contract.body), 'it shows the contract');

  t.equal((await service.request({ path: '/docs/static/nothing.js' })).status, 404);
});
