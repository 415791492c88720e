import { BlockList, isIPv4 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { shortestAddress } from '../text/ip-address.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** IPv4 or IPv6, in its shortest form. */
    clientAddress: string;
  }
}

/** Which addresses are trusted proxies: all, those listed (addresses and subnets), or by the distance in hops. */
export type TrustProxy = boolean | string[] | ((address: string, hop: number) => boolean);

/** Sets the client's address at the beginning of a request: a login counts under it although the client hangs up. */
export const clientAddressPlugin = fp(
  async (app) => {
    app.decorateRequest('clientAddress', '');
    app.addHook('onRequest', (request, _reply, done) => {
      request.clientAddress = clientAddressOf(request);
      done();
    });
  },
  { name: 'client-address' },
);

/** The address that trusted proxies name, or the peer's where that can't be read. */
export function clientAddressOf({ ip, socket: { remoteAddress: peer = '' } }: FastifyRequest): string {
  return readAddress(ip) ?? readAddress(peer) ?? peer;
}

/** For Fastify's option `trustProxy`, which does not read a proxy's address with a port. */
export function trustOf(trustProxy: TrustProxy): Exclude<TrustProxy, string[]> {
  if (!Array.isArray(trustProxy)) return trustProxy;
  const proxies = new BlockList();
  for (const subnet of trustProxy) {
    const [address = '', bits = isIPv4(address) ? 32 : 128] = subnet.split('/');
    proxies.addSubnet(address, Number(bits), familyOf(address));
  }
  return (text) => {
    const address = readAddress(text);
    return address !== undefined && proxies.check(address, familyOf(address));
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

/** Undefined where it is no address. Proxies may add a port, and brackets around IPv6. */
function readAddress(text: string): string | undefined {
  return shortestAddress(text.trim().replace(/^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$/, '$1$2'));
}
