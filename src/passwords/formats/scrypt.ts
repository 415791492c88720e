import { type BinaryLike, type ScryptOptions, scrypt } from 'node:crypto';
import { type Digest, isSame, type ReadDigest } from './digest.js';

/** Bytes that N and r may ask for: twice what the OWASP Password Storage Cheat Sheet asks of scrypt. */
const MAX_MEMORY = 256 * 1024 * 1024;
/** Bytes times p, which run one after the other: a second or so. */
const MAX_WORK = 2 * MAX_MEMORY;
/** What Werkzeug, Django and better-auth store; passlib stores 32. */
const KEY_BYTES = 64;

export type ScryptCost = { N: number; r: number; p: number };

/** `$scrypt$ln=16,r=8,p=1$SALT$KEY` of passlib, in base 64. */
export const readPasslibScrypt: ReadDigest = (digest) => {
  const [, ln, r, p, salt = '', key = ''] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/]{2,171})\$([A-Za-z0-9+/]{43})$/.exec(digest) ?? [];
  const cost = { N: 2 ** Number(ln), r: Number(r), p: Number(p) };
  return scryptDigest('passlib scrypt', cost, Buffer.from(salt, 'base64'), Buffer.from(key, 'base64'));
};

/** `scrypt:32768:8:1$SALT$HEX` of Werkzeug's generate_password_hash, and so of Flask. The salt is text. */
export const readWerkzeugScrypt: ReadDigest = (digest) => {
  const [, N, r, p, salt = '', key = ''] =
    /^scrypt:(\d{1,7}):(\d{1,4}):(\d{1,4})\$([A-Za-z0-9]{1,128})\$([0-9a-f]{128})$/.exec(digest) ?? [];
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  return scryptDigest('werkzeug scrypt', cost, Buffer.from(salt), Buffer.from(key, 'hex'));
};

/** `scrypt$N$SALT$r$p$BASE64` of Django's ScryptPasswordHasher. The salt is text. */
export const readDjangoScrypt: ReadDigest = (digest) => {
  const [, N, salt = '', r, p, key = ''] =
    /^scrypt\$(\d{1,7})\$([\w+/.=-]{1,128})\$(\d{1,4})\$(\d{1,4})\$([A-Za-z0-9+/]{86}==)$/.exec(digest) ?? [];
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  return scryptDigest('django scrypt', cost, Buffer.from(salt), Buffer.from(key, 'base64'));
};

/** `SALT:KEY` in hexadecimal of better-auth, which uses the salt's letters and not the bytes that they stand for. */
export const readBetterAuthScrypt: ReadDigest = (digest) => {
  const [, salt = '', key = ''] = /^([0-9a-f]{32}):([0-9a-f]{128})$/.exec(digest) ?? [];
  const cost = { N: 16384, r: 16, p: 1 };
  const normalization = 'NFKC';
  return scryptDigest('better-auth scrypt', cost, Buffer.from(salt), Buffer.from(key, 'hex'), normalization);
};

/**
 * `$scrypt-hex$ln=14,r=8,p=1$SALT$KEY`: a `SALT:KEY` of Node.js, as better-auth's but with parameters of its own and no
 * normalization. Made by an import, so that the digest says how it is verified.
 */
export const readNodeScrypt: ReadDigest = (digest) => {
  const [, ln, r, p, salt = '', key = ''] =
    /^\$scrypt-hex\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([0-9a-f]{16,128})\$((?:[0-9a-f]{2}){16,64})$/.exec(digest) ??
    [];
  const cost = { N: 2 ** Number(ln), r: Number(r), p: Number(p) };
  return scryptDigest('node scrypt', cost, Buffer.from(salt), Buffer.from(key, 'hex'));
};

/** Writes parameters into a `SALT:KEY`; any other digest stays as it is. */
export function withScryptParameters(digest: string, { N, r, p }: ScryptCost): string {
  return digest.replace(
    /^([0-9a-f]{16,128}):((?:[0-9a-f]{2}){16,64})$/,
    (_digest, salt, key) => `$scrypt-hex$ln=${Math.log2(N)},r=${r},p=${p}$${salt}$${key}`,
  );
}

/** Reads `N=16384,r=8,p=1`; undefined where scrypt does not allow the parameters, or they are out of bounds. */
export function parseScryptParameters(text: string): ScryptCost | undefined {
  const [, N, r, p] = /^N=(\d{1,7}),r=(\d{1,4}),p=(\d{1,4})$/.exec(text) ?? [];
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  return isWithinBounds(cost) ? cost : undefined;
}

function scryptDigest(
  format: string,
  cost: ScryptCost,
  salt: Buffer,
  key: Buffer,
  normalization?: 'NFKC',
): Digest | undefined {
  if (key.length === 0 || key.length > KEY_BYTES || !isWithinBounds(cost)) return undefined;
  return {
    format,
    parameters: `N=${cost.N},r=${cost.r},p=${cost.p}`,
    memory: memoryOf(cost),
    async verify(password) {
      const read = normalization ? password.normalize(normalization) : password;
      return isSame(key, await derive(read, salt, key.length, { ...cost, maxmem: 2 * MAX_MEMORY }));
    },
    ...(normalization && { normalization }),
  };
}

/** RFC 7914, section 2: N is a power of two greater than 1 and less than 2^(128 * r / 8); r and p are at least 1. */
function isWithinBounds({ N, r, p }: ScryptCost): boolean {
  const ln = Math.log2(N);
  if (!(ln >= 1 && Number.isInteger(ln) && ln < 16 * r && r >= 1 && p >= 1)) return false;
  const memory = memoryOf({ N, r });
  return memory <= MAX_MEMORY && memory * p <= MAX_WORK;
}

function memoryOf({ N, r }: Pick<ScryptCost, 'N' | 'r'>): number {
  return 128 * N * r;
}

function derive(password: string, salt: BinaryLike, length: number, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
