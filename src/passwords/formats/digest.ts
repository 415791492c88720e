import { timingSafeEqual } from 'node:crypto';

/** Highest cost of digests, some four seconds: a stop waits 20 s for the hashes that run. */
export const BCRYPT_MAX_COST = 16;

/** A digest of a known format whose parameters are within bounds. */
export type Digest = {
  /** As `users stats` names it, such as `bcrypt`. */
  format: string;
  /** Such as `m=19456,t=2,p=1`. */
  parameters: string;
  /** Bytes that `verify` takes while it runs: 0 where they are few. */
  memory: number;
  /** Runs on libuv's threads. */
  verify(password: string, pepper: string): Promise<boolean>;
  /** Set if the format reads a pepper. */
  isPeppered?: true;
  /** Set if the format takes several Unicode forms of a password for one. */
  normalization?: 'NFKC';
  /** Set if the format reads only so many bytes of a password: all that begin with them match. */
  maxBytes?: number;
};

export type ReadOptions = { bcryptMaxCost: number };

/** Undefined for another format, or for parameters out of the format's bounds. */
export type ReadDigest = (digest: string, options: ReadOptions) => Digest | undefined;

/** Whether a password matches with one of the peppers. Tries all of them: the time does not tell which one has matched. */
export async function matchesAny(
  { verify }: Pick<Digest, 'verify'>,
  password: string,
  peppers: string[],
): Promise<boolean> {
  let matches = false;
  for (const pepper of peppers) matches = (await verify(password, pepper)) || matches;
  return matches;
}

/** Compares a digest's own hash with the one that a password made, in constant time. */
export function isSame(hash: Buffer, made: Buffer): boolean {
  return hash.length === made.length && timingSafeEqual(hash, made);
}
