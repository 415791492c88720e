import { type ScryptOptions, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { StoredPeppers } from '../database/find-peppers.js';
import type { StoredDigest } from '../database/users.js';
import { ConfigError } from '../errors/config-error.js';

/** BCRYPT_PEPPER and BCRYPT_PEPPER_PREVIOUS; undefined where one is not set. */
export type PepperOptions = { current: string | undefined; previous: string | undefined };

/** Devise's: what is appended to a password before bcrypt reads it. */
export type Pepper = {
  text: string;
  /** What the rows of users call it. */
  name: string;
};

export type Peppers = {
  /** Of new digests. */
  current?: Pepper | undefined;
  /** Of stored digests, too; never the current one. */
  previous?: Pepper | undefined;
};

/** 32 MiB, a tenth of a second: who reads a row's name can't try many peppers. */
const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 } satisfies ScryptOptions;
const NAME_BYTES = 4;

const derive = promisify<string, string, number, ScryptOptions, Buffer>(scrypt);

/** Names the peppers that are configured. */
export async function namePeppers(
  { current, previous }: PepperOptions,
  { salt }: Pick<StoredPeppers, 'salt'>,
): Promise<Peppers> {
  const named = async (text: string) => ({
    text,
    name: (await derive(text, salt, NAME_BYTES, COST)).toString('hex'),
  });
  return {
    current: current === undefined ? undefined : await named(current),
    previous: previous === undefined || previous === current ? undefined : await named(previous),
  };
}

/**
 * Names the peppers that are configured, and checks that no digest has another one.
 *
 * @throws ConfigError
 */
export async function readPeppers(options: PepperOptions, stored: StoredPeppers): Promise<Peppers> {
  const peppers = await namePeppers(options, stored);
  const unknown = stored.names.filter((name) => ![peppers.current?.name, peppers.previous?.name].includes(name));
  if (unknown.length === 0) return peppers;
  throw new ConfigError([
    `BCRYPT_PEPPER and BCRYPT_PEPPER_PREVIOUS: users have passwords with another pepper (named ${unknown.join(', ')} in the ` +
      'database), and could not log in: set BCRYPT_PEPPER_PREVIOUS to the pepper that BCRYPT_PEPPER had before',
  ]);
}

/** Of a digest: `unnamed` may be none too, `other` is not configured. */
export type PepperState = 'current' | 'previous' | 'unnamed' | 'other';

/** Which pepper a bcrypt digest has; undefined for none. */
export function pepperStateOf({ peppered, pepper }: StoredDigest, peppers: Peppers): PepperState | undefined {
  const { current, previous } = peppers;
  if (peppered === false || (peppered === null && !current && !previous)) return undefined;
  // Earlier versions write a digest, and leave the name of the last one.
  if (peppered === null || pepper === null) return 'unnamed';
  if (pepper === current?.name) return 'current';
  return pepper === previous?.name ? 'previous' : 'other';
}

/** The peppers that a digest may have, as text; an empty one is none. */
export function mayHave(state: PepperState | undefined, { current, previous }: Peppers): string[] {
  if (state === undefined) return [''];
  if (state === 'previous') return [previous?.text ?? ''];
  const now = current?.text ?? '';
  return state === 'current' || !previous ? [now] : [now, previous.text];
}
