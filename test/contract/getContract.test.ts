import { readFile } from 'node:fs/promises';
import t from 'tap';
import { parse } from 'yaml';
import { startService } from '../service.js';

t.test('the contract, as YAML and as JSON', async (t) => {
  const service = await startService(t, 'sqlite');
  const source = await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8');

  const yaml = await service.request({ path: '/openapi.yaml' });
  t.equal(yaml.status, 200);
  t.equal(yaml.body, source, 'to the byte');

  const json = await service.request({ path: '/openapi.json' });
  t.equal(json.status, 200);
  t.same(JSON.parse(json.body), parse(source), 'with nothing left out');

  for (const path of ['/openapi.yaml', '/openapi.json']) {
    t.equal((await service.request({ method: 'HEAD', path })).status, 200);
    t.equal((await service.request({ method: 'PUT', path })).status, 405);
  }
});
