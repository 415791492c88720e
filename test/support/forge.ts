import { createHmac, createPrivateKey, type JsonWebKey, sign } from 'node:crypto';

/** A part of a token; a text is JSON already. */
export const encode = (value: object | string) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token (RFC 7515, section 3.1) with any header, claims and signature. */
export function withSignature(
  header: object | string,
  claims: object | string,
  signature: (input: string) => Buffer | string,
): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const made = signature(input);
  return `${input}.${typeof made === 'string' ? made : made.toString('base64url')}`;
}

/** Signs with HS256. */
export const hmac = (key: string) => (input: string) => createHmac('sha256', key).update(input).digest();
/** Signs with ES256 or RS256, by the kind of the key. */
export const by = (jwk: JsonWebKey) => (input: string) =>
  sign('sha256', Buffer.from(input), {
    key: createPrivateKey({ key: jwk, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363',
  });
