import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An IPv4 or IPv6 address in its shortest form, IPv4 for an IPv4-mapped one; undefined where the text is none. */
export function shortestAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  // A zone is a name of an interface, at which ipaddr.js may throw.
  return isIPv6(text) && !text.includes('%') ? ipaddr.process(text).toString() : undefined;
}
