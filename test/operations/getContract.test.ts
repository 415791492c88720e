import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { parse } from 'yaml';
import { startService } from '../support/service.js';

/** The source without what only the service reads. */
function withoutExtensions(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutExtensions);
  if (typeof node !== 'object' || node === null) return node;
  const kept = Object.entries(node).filter(([key]) => !/^x-/.test(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutExtensions(value)]));
}

t.test('the contract, as YAML and as JSON', async (t) => {
  const service = await startService(t, 'sqlite');
  const source = parse(await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8'));

  const yaml = await service.request({ path: '/openapi.yaml' });
  t.equal(yaml.status, 200);
  const document = parse(yaml.body);
  t.hasStrict({ ...document, servers: source.servers }, withoutExtensions(source), 'with nothing left out');
  t.same(
    Object.keys(document).sort(),
    Object.keys(source)
      .filter((key) => !/^x-/.test(key))
      .sort(),
    'and nothing more',
  );
  t.same(Object.keys(document.paths['/livez'].get.responses['200'].headers), [
    'X-Frame-Options',
    'X-XSS-Protection',
    'X-Content-Type-Options',
    'X-Download-Options',
    'X-Permitted-Cross-Domain-Policies',
    'Referrer-Policy',
    'Cache-Control',
    'X-Request-Id',
    'X-Runtime',
    'Content-Length',
  ]);

  const json = await service.request({ path: '/openapi.json' });
  t.equal(json.status, 200);
  t.same(JSON.parse(json.body), document, 'the same document');

  for (const path of ['/openapi.yaml', '/openapi.json']) {
    t.equal((await service.request({ method: 'HEAD', path })).status, 200);
    t.equal((await service.request({ method: 'PUT', path })).status, 405);
  }
});

t.test('the contract names the server that the request has reached', async (t) => {
  const direct = await startService(t, 'sqlite');
  const proxied = await startService(t, 'sqlite', { env: { TRUST_PROXY: 'true' } });

  async function serversOf(service: typeof direct, headers: { [name: string]: string } = {}) {
    const yaml = parse((await service.request({ path: '/openapi.yaml', headers })).body);
    const json = JSON.parse((await service.request({ path: '/openapi.json', headers })).body);
    t.same(yaml.servers, json.servers);
    return json.servers.map(({ url }: { url: string }) => url);
  }

  const forwarded = { host: 'inside:8080', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'login.example.com' };
  t.same(await serversOf(direct), [direct.url.replace('[::1]', 'localhost')]);
  t.same(await serversOf(direct, forwarded), ['http://inside:8080'], 'a stranger’s word does not count');
  t.same(await serversOf(proxied, forwarded), ['https://login.example.com'], 'a trusted proxy’s does');
  t.same(await serversOf(proxied, { ...forwarded, 'x-forwarded-proto': 'javascript' }), ['/']);
  const forwardedFrom = (host: string) => serversOf(proxied, { ...forwarded, 'x-forwarded-host': host });
  t.same(await forwardedFrom('a b'), ['/'], 'a host that is none');
  t.same(await forwardedFrom('a"&b: c'), ['/']);
  t.same(await forwardedFrom('a"'), ['https://a"'], 'a quote does not end the text');
  t.same(await forwardedFrom('example.com/path?query'), ['https://example.com'], 'no more than the host');
});

t.test('the contract as HTTP/1.0 without a host gets it', async (t) => {
  const service = await startService(t, 'sqlite');
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname.replace(/[[\]]/g, ''));
  socket.end('GET /openapi.json HTTP/1.0\r\n\r\n');
  const [, body = ''] = (await text(socket)).split('\r\n\r\n');
  t.same(JSON.parse(body).servers[0].url, '/');
});
