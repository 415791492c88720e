import { readArgon2, readDjangoArgon2 } from './argon2.js';
import { readBcrypt, readDjangoBcrypt, readDjangoBcryptSha256 } from './bcrypt.js';
import type { ReadDigest } from './digest.js';
import { readDjangoPbkdf2, readPasslibPbkdf2, readWerkzeugPbkdf2 } from './pbkdf2.js';
import {
  readBetterAuthScrypt,
  readDjangoScrypt,
  readNodeScrypt,
  readPasslibScrypt,
  readWerkzeugScrypt,
} from './scrypt.js';

/** Every format that a password may be stored in, the most likely first. */
const FORMATS: ReadDigest[] = [
  readArgon2,
  readBcrypt,
  readDjangoPbkdf2,
  readDjangoArgon2,
  readDjangoBcryptSha256,
  readDjangoBcrypt,
  readDjangoScrypt,
  readWerkzeugScrypt,
  readWerkzeugPbkdf2,
  readPasslibPbkdf2,
  readPasslibScrypt,
  readBetterAuthScrypt,
  readNodeScrypt,
];

/** Longer than any digest of a known format. */
const MAX_LENGTH = 512;

/** Reads a digest of any known format; undefined for others, and for parameters out of bounds. */
export const readDigest: ReadDigest = (digest, options) => {
  if (digest.length > MAX_LENGTH) return undefined;
  for (const read of FORMATS) {
    const found = read(digest, options);
    if (found) return found;
  }
  return undefined;
};
