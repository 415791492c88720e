import { verify } from '@node-rs/argon2';
import type { Digest, ReadDigest } from './digest.js';

/** KiB: four times what argon2's libraries make by default; libsodium's "moderate". */
const MAX_MEMORY = 262_144;
/** KiB times passes: a second or so. */
const MAX_WORK = 4 * MAX_MEMORY;
const MAX_LANES = 64;

/** A PHC string of argon2i, argon2d or argon2id, which RFC 9106 defines. */
export const readArgon2: ReadDigest = (digest) => argon2('', digest);

/** Argon2PasswordHasher: a PHC string after the hasher's name. */
export const readDjangoArgon2: ReadDigest = (digest) =>
  digest.startsWith('argon2$') ? argon2('django ', digest.slice('argon2'.length)) : undefined;

const PHC =
  /^\$(argon2(?:id|i|d))\$(?:v=(16|19)\$)?((?:[mtp]=\d{1,7},){2}[mtp]=\d{1,7})\$([A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86})$/;

function argon2(owner: string, digest: string): Digest | undefined {
  // Digests before version 19 do not name their version.
  const [, variant, version = '16', inAnyOrder = '', saltAndHash] = PHC.exec(digest) ?? [];
  if (variant === undefined) return undefined;
  const { m, t, p } = Object.fromEntries(inAnyOrder.split(',').map((parameter) => parameter.split('=')));
  // One of the three is missing where another one stands twice.
  if (m === undefined || t === undefined || p === undefined) return undefined;
  if (Number(m) > MAX_MEMORY || Number(m) * Number(t) > MAX_WORK || Number(p) > MAX_LANES) return undefined;
  const parameters = `m=${m},t=${t},p=${p}`;
  const inOrder = `$${variant}$v=${version}$${parameters}$${saltAndHash}`;
  return {
    format: owner + variant,
    parameters,
    memory: Number(m) * 1024,
    // The library throws at invalid parameters, such as too little memory for the lanes: no password matches.
    verify: (password) => verify(inOrder, password).catch(() => false),
  };
}
