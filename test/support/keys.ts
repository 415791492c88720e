import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import type { Algorithm } from '#built/tokens/jwk-set.js';

/** The key of RFC 8037, appendix A.1: the contract's example has its public half. */
export const RFC_8037 = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
};

/** Makes a private JWK of each algorithm that is asked for. */
export function privateJwks(...algorithms: Algorithm[]): JsonWebKey[] {
  return algorithms.map((algorithm) => privateKey(algorithm).export({ format: 'jwk' }));
}

export function jwkSet(keys: JsonWebKey[]): string {
  return JSON.stringify({ keys });
}

function privateKey(algorithm: Algorithm) {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

/** The claims of a token, which is not verified. */
export function claimsOf(token: string): { user_id: number; exp: number; sid: string; [name: string]: unknown } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/** The `Authorization` of a token (RFC 6750, section 2.1). */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
