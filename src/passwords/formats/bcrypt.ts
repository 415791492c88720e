import { createHash } from 'node:crypto';
import { verify } from '@node-rs/bcrypt';
import type { Digest, ReadDigest, ReadOptions } from './digest.js';

const MIN_COST = 4;

/** bcrypt as Rails, Devise, PHP and Node.js store it. It reads 72 bytes of a password, pepper included, and no more. */
export const readBcrypt: ReadDigest = (digest, options) =>
  bcrypt('bcrypt', digest, options, (password) => password + options.bcryptPepper);

/** BCryptPasswordHasher. */
export const readDjangoBcrypt: ReadDigest = (digest, options) =>
  digest.startsWith('bcrypt$')
    ? bcrypt('django bcrypt', digest.slice('bcrypt$'.length), options, (password) => password)
    : undefined;

/** BCryptSHA256PasswordHasher: all of a password counts, because bcrypt reads its SHA-256 in hexadecimal. */
export const readDjangoBcryptSha256: ReadDigest = (digest, options) =>
  digest.startsWith('bcrypt_sha256$')
    ? bcrypt('django bcrypt_sha256', digest.slice('bcrypt_sha256$'.length), options, (password) =>
        createHash('sha256').update(password).digest('hex'),
      )
    : undefined;

function bcrypt(
  format: string,
  digest: string,
  { bcryptMaxCost }: ReadOptions,
  prepare: (password: string) => string,
): Digest | undefined {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(digest) ?? [];
  if (cost === undefined || Number(cost) < MIN_COST || Number(cost) > bcryptMaxCost) return undefined;
  return {
    format,
    parameters: `cost=${Number(cost)}`,
    verify: (password) => verify(prepare(password), digest),
  };
}
