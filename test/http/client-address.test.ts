import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fastify from 'fastify';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { clientAddressPlugin, trustOf } from '#built/http/client-address.js';
import { FORM } from '../support/send.js';
import { SECRET, startService } from '../support/service.js';

async function clientAddress(TRUST_PROXY: string, forwarded: string | undefined, peer = '10.0.0.1'): Promise<string> {
  const { trustProxy } = readConfig({ TRUST_PROXY, JWT_SECRET: SECRET }, { issuesTokens: true });
  const app = fastify({ trustProxy: trustOf(trustProxy) });
  await app.register(clientAddressPlugin);
  app.get('/', async (request) => request.clientAddress);
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return (await app.inject({ url: '/', headers, remoteAddress: peer })).body;
}

t.test('the address of a client', async (t) => {
  const cases: [trust: string, forwarded: string | undefined, address: string, peer?: string][] = [
    ['false', '1.2.3.4', '10.0.0.1'],
    ['false', undefined, '10.0.0.1', '::ffff:10.0.0.1'],
    ['1', undefined, '10.0.0.1'],
    ['1', '', '10.0.0.1'],
    ['1', '1.2.3.4', '1.2.3.4'],
    ['1', '6.6.6.6, 1.2.3.4', '1.2.3.4'],
    ['2', '6.6.6.6, 1.2.3.4', '6.6.6.6'],
    ['true', '6.6.6.6, 1.2.3.4', '6.6.6.6'],
    ['1', '1.2.3.4:50000', '1.2.3.4'],
    ['1', '[2001:DB8:0:0::1]:50000', '2001:db8::1'],
    ['1', '[2001:db8::1]', '2001:db8::1'],
    ['1', '2001:db8::1', '2001:db8::1'],
    ['1', '::ffff:1.2.3.4', '1.2.3.4'],
    ['1', '[::ffff:1.2.3.4]:1', '1.2.3.4'],
    ['1', 'unknown', '10.0.0.1'],
    ['1', '1.2.3.4:x', '10.0.0.1'],
    ['1', '[1.2.3.4', '10.0.0.1'],
    ['1', 'fe80::1%eth0', '10.0.0.1'],
    ['1', '[fe80::1%a-b]:1', '10.0.0.1'],
    ['2', '_hidden, 1.2.3.4', '10.0.0.1'],
    ['10.0.0.0/8', '6.6.6.6, 1.2.3.4, 10.9.9.9:80', '1.2.3.4'],
    ['10.0.0.0/8', '1.2.3.4', '1.2.3.4', '::ffff:10.0.0.1'],
    ['10.0.0.0/8', '1.2.3.4', 'fe80::1%br-lan', 'fe80::1%br-lan'],
    ['::ffff:10.0.0.0/104', '1.2.3.4', '1.2.3.4'],
    ['fd00::/8, 10.0.0.1', '1.2.3.4, [fd00::1]:443', '1.2.3.4'],
    ['192.0.2.1', '1.2.3.4', '10.0.0.1'],
  ];
  for (const [trust, forwarded, address, peer] of cases) {
    t.equal(await clientAddress(trust, forwarded, peer), address, `TRUST_PROXY=${trust}, ${forwarded}`);
  }
});

t.test('each port is not an address of its own', async (t) => {
  const service = await startService(t, 'sqlite', { env: { TRUST_PROXY: '1', THROTTLE_ADDRESS: '3' } });
  const guess = (forwarded: string, email: string) =>
    service.request({
      method: 'POST',
      path: '/api/v1/sessions',
      headers: { ...FORM, 'x-forwarded-for': forwarded },
      body: `email=${email}%40bar.com&password=x`,
    });
  for (const port of [1, 2, 3]) t.equal((await guess(`192.0.2.7:${port}`, `user${port}`)).status, 401);
  t.equal((await guess('192.0.2.7:4', 'user4')).status, 429);
  t.equal((await guess('192.0.2.8:4', 'user4')).status, 401);
});

t.test('an address that can’t be read ends no process, also where no route is reached', async (t) => {
  const service = await startService(t, 'sqlite', { env: { TRUST_PROXY: 'true' } });
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.write('GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: fe80::1%a-b\r\n\r\n');
  t.match(await text(socket), /^HTTP\/1.1 400 /);
});
