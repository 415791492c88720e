import { createPrivateKey, createPublicKey, hash, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto';

/** RFC 7518, section 3.1; RFC 8037, section 3.1. */
export const ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** A private key that signs and verifies tokens, for one algorithm. */
export type SigningKey = {
  /** The thumbprint (RFC 7638). */
  kid: string;
  algorithm: Algorithm;
  /** PEM. */
  privateKey: string;
  publicKey: string;
  /** What other services may know. */
  publicJwk: PublicJwk;
};

export type PublicJwk = { kty: string; alg: Algorithm; use: 'sig'; kid: string } & { [parameter: string]: string };

/** What the algorithm of a kind of key is, and of which members its thumbprint is made, in their order (RFC 7638, 8037). */
const KINDS: { [kind: string]: { algorithm: Algorithm; members: string[] } } = {
  'EC P-256': { algorithm: 'ES256', members: ['crv', 'kty', 'x', 'y'] },
  'OKP Ed25519': { algorithm: 'EdDSA', members: ['crv', 'kty', 'x'] },
  RSA: { algorithm: 'RS256', members: ['e', 'kty', 'n'] },
};

/** RFC 7518, section 3.3. */
const RSA_MIN_BITS = 2048;

/**
 * Reads a JWK Set (RFC 7517) of private keys.
 *
 * @returns at least one key; the first one signs
 * @throws Error that names the key, and quotes nothing of it
 */
export function parseJwkSet(text: string): SigningKey[] {
  const keys = jwksIn(text).map((jwk, index) => {
    try {
      return readKey(jwk);
    } catch (error) {
      throw new Error(`keys[${index}] ${error instanceof Error ? error.message : error}`);
    }
  });
  for (const [index, { kid }] of keys.entries()) {
    const first = keys.findIndex((key) => key.kid === kid);
    if (first < index) throw new Error(`keys[${index}] must not repeat keys[${first}]`);
  }
  return keys;
}

/** @throws Error */
export function jwksIn(text: string): JsonWebKey[] {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new Error('must be JSON');
  }
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('must be a JWK Set with at least one key');
  return keys;
}

function readKey(jwk: JsonWebKey): SigningKey {
  if (typeof jwk !== 'object' || jwk === null) throw new Error('must be an object');
  const kind = KINDS[[jwk.kty, jwk.crv].filter(Boolean).join(' ')];
  if (!kind) throw new Error(`must be one of ${Object.keys(KINDS).join(', ')}`);
  const { algorithm, members } = kind;
  if (jwk.alg !== undefined && jwk.alg !== algorithm) throw new Error(`must have the alg ${algorithm}`);
  if (jwk.use !== undefined && jwk.use !== 'sig') throw new Error('must have the use sig');
  if (jwk.d === undefined) throw new Error('must be private: d is missing');
  const [privateKey, publicKey] = readKeyPair(jwk);
  const { modulusLength = RSA_MIN_BITS } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_MIN_BITS) throw new Error(`must have at least ${RSA_MIN_BITS} bits`);
  // Exported: the file may pad, or spell numbers with leading zeros.
  const exported = Object.entries(publicKey.export({ format: 'jwk' }));
  const parameters = members.map((name) => [name, String(exported.find(([member]) => member === name)?.[1])] as const);
  const kid = hash('sha256', JSON.stringify(Object.fromEntries(parameters)), 'buffer').toString('base64url');
  return {
    kid,
    algorithm,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    publicJwk: { kty: String(jwk.kty), ...Object.fromEntries(parameters), alg: algorithm, use: 'sig', kid },
  };
}

/** OpenSSL does not compare the halves of a key: signed by the one, a text must be verified by the other. */
function readKeyPair(jwk: JsonWebKey): [privateKey: KeyObject, publicKey: KeyObject] {
  try {
    const { d: _, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicJwk } = jwk;
    const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
    const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' });
    const digest = jwk.kty === 'OKP' ? undefined : 'sha256';
    const text = Buffer.from('any text');
    if (verify(digest, text, publicKey, sign(digest, text, privateKey))) return [privateKey, publicKey];
  } catch {
    throw new Error('can’t be read: its members are malformed');
  }
  throw new Error('must be the private and the public half of one key');
}
