/** Whether each `%` of a text begins an octet, and the octets are UTF-8 (RFC 3986, section 2.1). */
export function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
