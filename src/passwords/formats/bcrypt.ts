import { createHash } from 'node:crypto';
import { verify } from '@node-rs/bcrypt';
import type { Digest, ReadDigest, ReadOptions } from './digest.js';

const MIN_COST = 4;

/** bcrypt reads no more than this many bytes of a password. */
export const BCRYPT_MAX_BYTES = 72;

/** bcrypt as Rails, Devise, PHP and Node.js store it. The pepper counts among the bytes that it reads. */
export const readBcrypt: ReadDigest = (digest, options) => {
  const found = bcrypt('bcrypt', digest, options, (password, pepper) => password + pepper);
  return found && { ...found, isPeppered: true, maxBytes: BCRYPT_MAX_BYTES };
};

/** BCryptPasswordHasher. */
export const readDjangoBcrypt: ReadDigest = (digest, options) => {
  if (!digest.startsWith('bcrypt$')) return undefined;
  const found = bcrypt('django bcrypt', digest.slice('bcrypt$'.length), options, (password) => password);
  return found && { ...found, maxBytes: BCRYPT_MAX_BYTES };
};

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
  prepare: (password: string, pepper: string) => string,
): Digest | undefined {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(digest) ?? [];
  if (cost === undefined || Number(cost) < MIN_COST || Number(cost) > bcryptMaxCost) return undefined;
  return {
    format,
    parameters: `cost=${Number(cost)}`,
    memory: 0,
    verify: (password, pepper) => verify(prepare(password, pepper), digest),
  };
}
