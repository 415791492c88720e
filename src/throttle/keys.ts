import { createHmac, hkdfSync } from 'node:crypto';
import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Keys of counters: emails and addresses are stored only as keyed hashes. */
export type KeyedHashes = { email: string; network: string; both: string };

/** Derives the key of the hashes from a text that all instances know. */
export function deriveKey(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'throttle', 32));
}

/**
 * @param key - as deriveKey makes it
 * @returns makes the keys of a normalized email and an address
 */
export function createKeyedHashes(key: Buffer): (email: string, address: string) => KeyedHashes {
  const hash = (...parts: string[]) =>
    createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
  return (email, address) => {
    const network = networkOf(address);
    return { email: hash(email), network: hash(network), both: hash(email, network) };
  };
}

/** An IPv4 address, or the /64 of an IPv6 address, which belongs to one client. */
function networkOf(address: string): string {
  if (isIPv4(address) || !ipaddr.isValid(address)) return address;
  const ip = ipaddr.process(address);
  return ip.kind() === 'ipv4' ? ip.toString() : Buffer.from(ip.toByteArray().slice(0, 8)).toString('hex');
}
