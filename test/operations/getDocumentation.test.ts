import t from 'tap';
import { startService } from '../support/service.js';

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
    const reply = await service.request({ path: new URL(file, `${service.url}/`).pathname });
    t.equal(reply.status, 200, file);
    t.equal(reply.headers['content-security-policy'], page.headers['content-security-policy']);
    t.equal(reply.headers['x-frame-options'], 'SAMEORIGIN');
  }

  const contract = JSON.parse((await service.request({ path: '/openapi.json' })).body);
  const shown = JSON.parse((await service.request({ path: '/docs/json' })).body);
  t.hasStrict(contract, { ...shown, servers: contract.servers }, 'it shows the contract, and nothing else');
  for (const part of ['info', 'tags', 'security']) t.same(shown[part], contract[part]);
  t.same(shown.components.schemas, contract.components.schemas);
  t.same(Object.keys(shown.paths), Object.keys(contract.paths));
  t.same(shown.servers[0].url, '/', 'from where the page is, whatever a proxy says of the scheme');
  t.same(
    Object.keys(shown.paths['/api/v1/sessions'].post.responses['200'].headers),
    ['ETag', 'Cache-Control'],
    'without the headers that every reply has',
  );

  t.equal((await service.request({ path: '/docs/static/nothing.js' })).status, 404);
});

t.test('the files of Swagger UI, as browsers ask for them again', async (t) => {
  const service = await startService(t, 'sqlite');
  const path = '/docs/static/swagger-ui.css';
  const ask = (headers: { [name: string]: string }) => service.request({ path, headers });

  const whole = await ask({});
  t.equal((await ask({ 'if-none-match': whole.headers.etag ?? '' })).status, 304);
  t.equal((await ask({ range: 'bytes=0-3' })).body, whole.body.slice(0, 4));
  const beyond = await ask({ range: 'bytes=99999999-' });
  t.equal(beyond.status, 416);
  t.equal(beyond.body, '{"message":"Range not satisfiable","code":"range_not_satisfiable"}');
  const elsewhere = await service.request({ path: '/docs/static/index.html' });
  t.equal(elsewhere.status, 302);
  t.equal(elsewhere.headers.location, '/docs/');
});
