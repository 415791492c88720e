import type { IncomingMessage } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import fp from 'fastify-plugin';
import ipaddr from 'ipaddr.js';
import { parseWholeNumber } from '../../text/whole-number.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** IPv4 or IPv6, in its shortest form. */
    clientAddress: string;
  }
}

/** Which addresses are trusted proxies: all, those listed (addresses and subnets), or by the distance in hops. */
export type TrustProxy = boolean | string[] | ((address: string, hop: number) => boolean);

export type ClientAddressOptions = {
  /** Returns the address of the client that has sent a request. */
  addressOf: (request: IncomingMessage) => string;
};

/** Sets the client's address before all else: a socket that is reset no longer knows its peer's. */
export const clientAddressPlugin = fp<ClientAddressOptions>(
  async (app, { addressOf }) => {
    app.decorateRequest('clientAddress', '');
    app.addHook('onRequest', (request, _reply, done) => {
      request.clientAddress = addressOf(request.raw);
      done();
    });
  },
  { name: 'client-address' },
);

export type Proxies = {
  /** Whether the peer, or a proxy before it, is trusted. */
  isTrusted(address: string, hop: number): boolean;
  /**
   * The client's address by X-Forwarded-For, as far as trusted proxies have written it; the peer's where one is unreadable.
   *
   * @param peer - the address of the connection
   */
  clientAddress(request: Pick<IncomingMessage, 'headers'>, peer: string): string;
};

export function createProxies(trustProxy: TrustProxy): Proxies {
  const isTrusted = createTrust(trustProxy);
  return {
    isTrusted: (address, hop) => isTrusted(normalize(address) ?? address, hop),
    clientAddress({ headers: { 'x-forwarded-for': header } }, peer) {
      const nearest = normalize(peer) ?? peer;
      if (header === undefined || trustProxy === false) return nearest;
      const forwarded = header.toString().split(',').reverse();
      let address = nearest;
      for (const [hop, next] of forwarded.entries()) {
        if (!isTrusted(address, hop)) return address;
        const readable = normalize(next);
        if (readable === undefined) return nearest;
        address = readable;
      }
      return address;
    },
  };
}

function createTrust(trustProxy: TrustProxy): (address: string, hop: number) => boolean {
  if (typeof trustProxy === 'boolean') return () => trustProxy;
  if (typeof trustProxy === 'function') return trustProxy;
  const subnets = trustProxy.map(parseSubnet);
  return (address) => {
    if (!isReadable(address)) return false;
    const ip = ipaddr.parse(address);
    return subnets.some(([subnet, bits]) => ip.kind() === subnet.kind() && ip.match(subnet, bits));
  };
}

function parseSubnet(text: string): [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number] {
  const [address = '', length] = text.split('/');
  const ip = ipaddr.parse(address);
  const bits = length === undefined ? 8 * ip.toByteArray().length : Number(length);
  const isMapped = ip instanceof ipaddr.IPv6 && ip.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [ip.toIPv4Address(), bits - 96] : [ip, bits];
}

/** Whether it is an address without a zone: a zone is a name that means nothing here, and ipaddr.js throws at some. */
function isReadable(address: string): boolean {
  return isIP(address) !== 0 && !address.includes('%');
}

/** Undefined where it is no address. Proxies may add the port, and brackets around IPv6. */
function normalize(text: string): string | undefined {
  const address = withoutPort(text.trim());
  if (isIPv4(address)) return address;
  return isReadable(address) ? ipaddr.process(address).toString() : undefined;
}

function withoutPort(text: string): string {
  if (isIP(text) !== 0) return text;
  const end = text.startsWith('[') ? text.indexOf(']') + 1 : text.indexOf(':');
  const [host, port] = end > 0 ? [text.slice(0, end), text.slice(end)] : [text, ''];
  const isPort = port.startsWith(':') && parseWholeNumber(port.slice(1), 0, 65_535) !== undefined;
  if (port !== '' && !isPort) return '';
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
