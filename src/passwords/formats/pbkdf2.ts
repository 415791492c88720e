import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { type Digest, isSame, type ReadDigest } from './digest.js';

const derive = promisify(pbkdf2);

/** Five times what the OWASP Password Storage Cheat Sheet asks of PBKDF2-HMAC-SHA256 (600,000): two seconds or so. */
const MAX_ITERATIONS = 3_000_000;
/** Bytes of each hash, which is also how much of the key is stored. */
const LENGTHS = new Map([
  ['sha1', 20],
  ['sha256', 32],
  ['sha512', 64],
]);

/** `pbkdf2_sha256$ITERATIONS$SALT$BASE64` of Django's PBKDF2PasswordHasher, and its SHA-1. The salt is text. */
export const readDjangoPbkdf2: ReadDigest = (digest) => {
  const [, hash, iterations, salt = '', key = ''] =
    /^pbkdf2_(sha1|sha256)\$(\d{1,8})\$([\w+/.=-]{1,128})\$([A-Za-z0-9+/]+=)$/.exec(digest) ?? [];
  return pbkdf2Digest('django pbkdf2', hash, iterations, Buffer.from(salt), Buffer.from(key, 'base64'));
};

/** `pbkdf2:sha256:ITERATIONS$SALT$HEX` of Werkzeug's generate_password_hash, and so of Flask. The salt is text. */
export const readWerkzeugPbkdf2: ReadDigest = (digest) => {
  const [, hash, iterations, salt = '', key = ''] =
    /^pbkdf2:(sha1|sha256|sha512):(\d{1,8})\$([A-Za-z0-9]{1,128})\$((?:[0-9a-f]{2})+)$/.exec(digest) ?? [];
  return pbkdf2Digest('werkzeug pbkdf2', hash, iterations, Buffer.from(salt), Buffer.from(key, 'hex'));
};

/** `$pbkdf2-sha256$ROUNDS$SALT$KEY` of passlib, in base 64 with `.` for `+`; `$pbkdf2$` is SHA-1. */
export const readPasslibPbkdf2: ReadDigest = (digest) => {
  const [, hash = '-sha1', iterations, salt = '', key = ''] =
    /^\$pbkdf2(-sha256|-sha512)?\$(\d{1,8})\$([A-Za-z0-9./]{2,171})\$([A-Za-z0-9./]+)$/.exec(digest) ?? [];
  return pbkdf2Digest('passlib pbkdf2', hash.slice(1), iterations, fromPasslib(salt), fromPasslib(key));
};

function fromPasslib(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64');
}

function pbkdf2Digest(
  format: string,
  hash: string | undefined,
  iterations: string | undefined,
  salt: Buffer,
  key: Buffer,
): Digest | undefined {
  if (hash === undefined || LENGTHS.get(hash) !== key.length) return undefined;
  const count = Number(iterations);
  if (!(count >= 1 && count <= MAX_ITERATIONS)) return undefined;
  return {
    format: `${format}-${hash}`,
    parameters: `i=${count}`,
    memory: 0,
    verify: async (password) => isSame(key, await derive(password, salt, count, key.length, hash)),
  };
}
