import { randomBytes } from 'node:crypto';
import { hash as hashArgon2, type Options, verify as verifyArgon2 } from '@node-rs/argon2';
import { hash as hashBcrypt, verify as verifyBcrypt } from '@node-rs/bcrypt';

/** How new passwords are stored. `cost` is bcrypt's: 4 to 31, each step doubles the work. */
export type Hashing = { algorithm: 'argon2id' } | { algorithm: 'bcrypt'; cost: number };

export type Passwords = {
  /**
   * Makes the digest that is stored: a PHC string, or bcrypt's `$2b$`.
   *
   * @throws PasswordTooLong where bcrypt would cut the password off
   */
  hash(password: string): Promise<string>;
  /**
   * Tells whether a password made this digest. Takes about as long where there is none, or one of an unknown format, so
   * that time does not tell which emails are known.
   */
  verify(password: string, digest: string | undefined): Promise<boolean>;
};

/** bcrypt reads no more than this many bytes of a password. */
const BCRYPT_MAX_BYTES = 72;

/**
 * OWASP Password Storage Cheat Sheet: argon2id (2 in the library's enum) with 19 MiB, 2 passes and 1 lane. memoryCost is
 * in KiB.
 */
const ARGON2ID = { algorithm: 2, memoryCost: 19456, timeCost: 2, parallelism: 1 } satisfies Options;

export class PasswordTooLong extends Error {
  constructor() {
    super(`must have at most ${BCRYPT_MAX_BYTES} bytes, because bcrypt reads no more`);
  }
}

/** Both libraries work on libuv's threads, so the event loop stays free while they do. */
export function createPasswords(hashing: Hashing): Passwords {
  const unmatchable = unmatchableDigest(hashing);
  return {
    async hash(password) {
      if (hashing.algorithm === 'argon2id') return hashArgon2(password, ARGON2ID);
      if (Buffer.byteLength(password) > BCRYPT_MAX_BYTES) throw new PasswordTooLong();
      return hashBcrypt(password, hashing.cost);
    },
    async verify(password, digest) {
      const verifyDigest = digest === undefined ? undefined : findVerifier(digest);
      if (digest !== undefined && verifyDigest) return verifyDigest(password, digest);
      return findVerifier(unmatchable)?.(password, unmatchable) ?? false;
    },
  };
}

type Verifier = (password: string, digest: string) => Promise<boolean>;

function findVerifier(digest: string): Verifier | undefined {
  if (/^\$2[aby]\$/.test(digest)) return (password) => verifyBcrypt(password, digest);
  // The library throws at a digest that it can't read; nobody's password made that one.
  if (/^\$argon2(id|i|d)\$/.test(digest)) return (password) => verifyArgon2(digest, password).catch(() => false);
  return undefined;
}

/** A digest of the current form, cost included, that stands for no known password: its hash is random. */
function unmatchableDigest(hashing: Hashing): string {
  if (hashing.algorithm === 'bcrypt') {
    const cost = String(hashing.cost).padStart(2, '0');
    // bcrypt's own base 64; the last letter of a salt, and of a hash, carries fewer bits.
    return `$2b$${cost}$${bcryptLetters(21)}.${bcryptLetters(30)}.`;
  }
  const { memoryCost, timeCost, parallelism } = ARGON2ID;
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${phcBytes(16)}$${phcBytes(32)}`;
}

function bcryptLetters(count: number): string {
  return randomBytes(count).toString('base64').replace(/[+=]/g, '.').slice(0, count);
}

function phcBytes(count: number): string {
  return randomBytes(count).toString('base64').replaceAll('=', '');
}
