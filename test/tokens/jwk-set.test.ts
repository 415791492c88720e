import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import t from 'tap';
import { parseJwkSet } from '#built/tokens/jwk-set.js';
import { jwkSet, privateJwks } from '../support/keys.js';

const [ec = {}, ed = {}, rsa = {}, other = {}] = privateJwks('ES256', 'EdDSA', 'RS256', 'ES256');

const faults: [what: string, text: string, fault: RegExp][] = [
  ['no JSON', '{', /^must be JSON$/],
  ['a key by itself', JSON.stringify(ec), /^must be a JWK Set with at least one key$/],
  ['no keys', jwkSet([]), /^must be a JWK Set with at least one key$/],
  ['null', 'null', /^must be a JWK Set/],
];

const keyFaults: [what: string, key: unknown, fault: RegExp][] = [
  ['no object', 'text', /must be an object/],
  ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }, /must be one of EC P-256, OKP Ed25519, RSA/],
  ['another curve', exported('secp256k1'), /must be one of EC P-256/],
  ['a key for encryption', { ...ec, use: 'enc' }, /must have the use sig/],
  ['another alg', { ...rsa, alg: 'PS256' }, /must have the alg RS256/],
  ['a public key', { ...ec, d: undefined }, /must be private: d is missing/],
  ['half of another key', { ...ec, d: other.d }, /can’t be read|must be the private and the public half of one key/],
  ['the public half of another key', { ...ed, x: privateJwks('EdDSA')[0]?.x }, /can’t be read|halves|half of one key/],
  ['garbage', { ...ec, x: '!' }, /can’t be read: its members are malformed/],
  ['a short RSA key', shortRsa(), /must have at least 2048 bits/],
];

function exported(namedCurve: string): JsonWebKey {
  return generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'jwk' });
}

function shortRsa(): JsonWebKey {
  return generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' });
}

t.test('what is no set of private keys is refused, by name, and not quoted', async (t) => {
  for (const [what, text, fault] of faults) t.throws(() => parseJwkSet(text), { message: fault }, what);
  for (const [what, key, fault] of keyFaults) {
    const text = JSON.stringify({ keys: [ed, key] });
    try {
      parseJwkSet(text);
      t.fail(what);
    } catch (error) {
      const message = String(error);
      t.match(message, /keys\[1\]/, what);
      t.match(message, fault, what);
      const d = typeof key === 'object' && key !== null && 'd' in key ? String(key.d) : undefined;
      if (d !== undefined) t.notOk(message.includes(d), 'quotes nothing');
    }
  }
  t.throws(() => parseJwkSet(jwkSet([ec, ed, ec])), { message: 'keys[2] must not repeat keys[0]' });
});

t.test('keys in the order of the file, each for one algorithm', async (t) => {
  const named = [ec, { ...ed, alg: 'EdDSA', use: 'sig', kid: 'of another tool' }, { ...rsa, added_at: 1 }];
  const keys = parseJwkSet(jwkSet(named));
  t.same(
    keys.map(({ algorithm }) => algorithm),
    ['ES256', 'EdDSA', 'RS256'],
  );
  t.notMatch(JSON.stringify(keys.map(({ publicJwk }) => publicJwk)), /"d"|"p"|added_at|another tool/);
});
