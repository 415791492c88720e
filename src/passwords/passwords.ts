import { randomBytes } from 'node:crypto';
import { hash as hashArgon2, type Options } from '@node-rs/argon2';
import { hash as hashBcrypt } from '@node-rs/bcrypt';
import type { StoredDigest } from '../database/users.js';
import { BCRYPT_MAX_BYTES } from './formats/bcrypt.js';
import { BCRYPT_MAX_COST, type Digest, matchesAny } from './formats/digest.js';
import { readDigest } from './formats/read-digest.js';
import { createHashQueue, type HashQueue, type Waiter } from './hash-queue.js';
import { mayHave, type Pepper, type PepperState, type Peppers, pepperStateOf } from './peppers.js';
import { hashesForPool } from './thread-pool.js';

/** How new passwords are stored. `cost` is bcrypt's: 4 to BCRYPT_MAX_COST, each step doubles the work. */
export type Hashing = { algorithm: 'argon2id' } | { algorithm: 'bcrypt'; cost: number };

export type DigestForm = {
  format: string;
  parameters: string;
  /** Whether it is of the form that `hash` makes. */
  current: boolean;
};

export type Passwords = {
  /**
   * Makes the digest that is stored: a PHC string, or bcrypt's `$2b$`, peppered where a pepper is configured.
   *
   * @param waiter - may leave the queue
   * @throws PasswordTooLong where bcrypt would cut the password off; Overloaded at the waiter's deadline; ClientGone
   */
  hash(password: string, waiter?: Waiter): Promise<StoredDigest>;
  /**
   * Whether the password matches the digest. Takes as long without a digest, or with one of an unknown format, so that the
   * time does not tell which emails are known. Where it is not known which pepper a digest has, it tries both, even if the first
   * one matches.
   *
   * @param waiter - may leave the queue
   * @throws Overloaded at the waiter's deadline; ClientGone
   */
  verify(password: string, digest: StoredDigest | undefined, waiter?: Waiter): Promise<boolean>;
  /** Undefined where the format is unknown, or verifying would take more memory or time than the format's bounds allow. */
  formOf(digest: string): DigestForm | undefined;
  /** Which pepper bcrypt read; undefined where it read none, or another format is stored. */
  pepperOf(digest: StoredDigest): PepperState | undefined;
  /**
   * How a digest that has just matched is brought up to date: by a hash of the password, or by the name of its pepper alone.
   *
   * @returns makes what is to be stored, as `hash` does; undefined where nothing is to be done
   */
  upgradeOf(digest: StoredDigest, password: string): (() => Promise<StoredDigest>) | undefined;
  /** Takes other peppers into use. */
  rotatePeppers(next: Peppers): void;
};

/**
 * OWASP Password Storage Cheat Sheet: argon2id (2 in the library's enum) with 19 MiB, 2 passes and 1 lane. memoryCost is
 * in KiB.
 */
const ARGON2ID = { algorithm: 2, memoryCost: 19456, timeCost: 2, parallelism: 1 } satisfies Options;

/**
 * Bytes that hashes in so many slots may take: for each, four times what our own takes. Most imported digests then run in
 * all slots (argon2's libraries default to 64 MiB), and a few of the largest ones do not fill the memory.
 */
export function hashMemoryFor(slots: number): number {
  return slots * 4 * ARGON2ID.memoryCost * 1024;
}

function queueForPool(): HashQueue {
  const slots = hashesForPool(process.env);
  return createHashQueue({ slots, maxMemory: hashMemoryFor(slots) });
}

export class PasswordTooLong extends Error {
  constructor() {
    super(`must have at most ${BCRYPT_MAX_BYTES} bytes, because bcrypt reads no more`);
  }
}

/** Hashes are made on libuv's threads, so the event loop stays free; as many at once as the queue lets. */
export function createPasswords(
  hashing: Hashing & { peppers?: Peppers },
  hashQueue: HashQueue = queueForPool(),
): Passwords {
  const options = { bcryptMaxCost: Math.max(BCRYPT_MAX_COST, hashing.algorithm === 'bcrypt' ? hashing.cost : 0) };
  const current = currentForm(hashing);
  const unmatchable = readDigest(unmatchableDigest(hashing), options);
  const memory = unmatchable?.memory;
  let peppers = hashing.peppers ?? {};

  const stateOf = (digest: StoredDigest, known: Digest | undefined) =>
    known?.isPeppered ? pepperStateOf(digest, peppers) : undefined;

  async function hash(password: string, waiter?: Waiter): Promise<StoredDigest> {
    if (hashing.algorithm === 'argon2id') {
      const passwordDigest = await hashQueue.run(() => hashArgon2(password, ARGON2ID), waiter, memory);
      return { passwordDigest, peppered: false, pepper: null };
    }
    if (Buffer.byteLength(password) > BCRYPT_MAX_BYTES) throw new PasswordTooLong();
    const { current: pepper } = peppers;
    // The pepper may reach past the 72 bytes, as it does in Devise.
    const hashPeppered = () => hashBcrypt(password + (pepper?.text ?? ''), hashing.cost);
    return { passwordDigest: await hashQueue.run(hashPeppered, waiter, memory), ...columnsOf(pepper) };
  }

  return {
    hash,
    async verify(password, digest, waiter) {
      const stored = digest && readDigest(digest.passwordDigest, options);
      const known = stored ?? unmatchable;
      if (known === undefined) return false;
      const candidates = mayHave(digest && stateOf(digest, stored), peppers);
      return hashQueue.run(() => matchesAny(known, password, candidates), waiter, known.memory);
    },
    formOf(digest) {
      const known = readDigest(digest, options);
      return known && { format: known.format, parameters: known.parameters, current: current.test(digest) };
    },
    pepperOf(digest) {
      const state = pepperStateOf(digest, peppers);
      return state && readDigest(digest.passwordDigest, options)?.isPeppered ? state : undefined;
    },
    upgradeOf(digest, password) {
      const known = readDigest(digest.passwordDigest, options);
      if (known === undefined) return undefined;
      const state = stateOf(digest, known);
      const isNamed = state === undefined || state === 'current';
      // Without a previous pepper, it is the current one that has matched.
      const isOutdated = !current.test(digest.passwordDigest) || (!isNamed && peppers.previous !== undefined);
      if (isOutdated && isAllThatCounts(password, known)) return () => hash(password);
      if (isNamed) return undefined;
      // It has the current pepper, or the password has so many bytes that bcrypt reads none.
      const named = { passwordDigest: digest.passwordDigest, ...columnsOf(peppers.current) };
      return async () => named;
    },
    rotatePeppers(next) {
      peppers = next;
    },
  };
}

function columnsOf(pepper: Pepper | undefined): Omit<StoredDigest, 'passwordDigest'> {
  return { peppered: pepper !== undefined, pepper: pepper?.name ?? null };
}

/** Whether a new digest of a password that matches would accept all that the old one does. */
function isAllThatCounts(password: string, { maxBytes, normalization }: Digest): boolean {
  // What was typed may be longer than the right password, or end differently: a new digest would refuse the right one.
  if (maxBytes !== undefined && Buffer.byteLength(password) >= maxBytes) return false;
  // Another device may send another Unicode form, which the old digest accepts and a new one would refuse.
  return normalization === undefined || hasOneSpelling(password);
}

/** `$2a$`, `$2b$` and `$2y$` are one form: names that libraries gave to the same algorithm, once its bugs were gone. */
function currentForm(hashing: Hashing): RegExp {
  if (hashing.algorithm === 'bcrypt') return new RegExp(`^\\$2[aby]\\$${bcryptCost(hashing.cost)}\\$`);
  return new RegExp(`^\\$argon2id\\$v=19\\$${argon2idParameters()}\\$[^$]{22}\\$[^$]{43}$`);
}

function hasOneSpelling(password: string): boolean {
  return password.normalize('NFKC') === password.normalize('NFD');
}

/** A digest of the current form, cost included, that stands for no known password: its hash is random. */
function unmatchableDigest(hashing: Hashing): string {
  if (hashing.algorithm === 'bcrypt') {
    // bcrypt's own base 64; the last letter of a salt, and of a hash, carries fewer bits.
    return `$2b$${bcryptCost(hashing.cost)}$${bcryptLetters(21)}.${bcryptLetters(30)}.`;
  }
  return `$argon2id$v=19$${argon2idParameters()}$${phcBytes(16)}$${phcBytes(32)}`;
}

function bcryptCost(cost: number): string {
  return String(cost).padStart(2, '0');
}

function argon2idParameters(): string {
  const { memoryCost, timeCost, parallelism } = ARGON2ID;
  return `m=${memoryCost},t=${timeCost},p=${parallelism}`;
}

function bcryptLetters(count: number): string {
  return randomBytes(count).toString('base64').replace(/[+=]/g, '.').slice(0, count);
}

function phcBytes(count: number): string {
  return randomBytes(count).toString('base64').replaceAll('=', '');
}
