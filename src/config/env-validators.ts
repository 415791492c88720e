import { isIP } from 'node:net';
import { fileURLToPath } from 'node:url';
import { EnvError, makeExactValidator } from 'envalid';
import type { DatabaseUrl } from '../database/connection/database-url.js';
import type { TrustProxy } from '../http/client-address.js';
import { parseWholeNumber } from '../text/whole-number.js';
import { ADMIN_TOKEN_MIN_BYTES, parseAdminTokens } from '../tokens/admin-tokens.js';
import { parseJwkSet } from '../tokens/jwk-set.js';
import { JWT_SECRET_MIN_BYTES } from '../tokens/jwt-secret.js';
import { tlsFaultOf, withVerifyFull } from './postgresql-url.js';

// envalid's own validators quote the value in their messages; it may be a secret.

/**
 * A reporter for envalid that adds errors to a list, by variable.
 *
 * @param labelOf - names a variable; undefined leaves its error out
 */
export const addTo =
  (faults: string[], labelOf: (name: string) => string | undefined = (name) => name) =>
  ({ errors }: { errors: Partial<Record<string, Error>> }) => {
    for (const [name, error] of Object.entries(errors)) {
      const label = labelOf(name);
      if (label !== undefined) faults.push(`${label} ${error?.message}`);
    }
  };

/** The commands whose help names variables. */
export const READERS = ['serve', 'migrate', 'health', 'users', 'keys'] as const;
export type Reader = (typeof READERS)[number];

type Details<T> = { default: T | undefined; readBy?: readonly Reader[] };

/** Makes the specification of a variable for envalid. */
type Validator<T> = <D extends Details<T>>(details: D) => D & { rule: string; _parse: (value: string) => T };

/**
 * @param rule - what a value must be: for the error, and for the documentation
 * @param parse - returns undefined where the value is not valid; may throw an EnvError of its own
 */
export function validator<T>(rule: string, parse: (value: string) => T | undefined): Validator<T> {
  const { _parse } = makeExactValidator<T>((value) => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    throw new EnvError(`must be ${rule}`);
  })();
  return (details) => ({ ...details, rule, _parse });
}

export const text = validator('text', (value) => value);

export const host = validator('an address or a host name', (value) => value);

export const integer = <D extends Details<number>>(least: number, most: number, details: D) =>
  validator(`a whole number from ${least} to ${most}`, (value) => parseWholeNumber(value, least, most))(details);

export const oneOf = <const Choice extends string, D extends Details<Choice>>(choices: readonly Choice[], details: D) =>
  validator(`one of ${choices.join(', ')}`, (value) => choices.find((choice) => choice === value))(details);

const listOf = (what: string, isValid: (item: string) => boolean) =>
  validator(`a list of ${what}`, (value) => {
    const items = value.split(',').map((item) => item.trim());
    return items.every(isValid) ? items : undefined;
  });

export const jwtSecret = validator(`text of at least ${JWT_SECRET_MIN_BYTES} bytes`, (value) =>
  Buffer.byteLength(value) >= JWT_SECRET_MIN_BYTES ? value : undefined,
);

export const jwtKeys = validator('a JWK Set of private keys', (value) => orEnvError(() => parseJwkSet(value)));

export const adminTokens = validator(
  `a list of tokens of at least ${ADMIN_TOKEN_MIN_BYTES} bytes, separated by commas or lines`,
  (value) => orEnvError(() => parseAdminTokens(value)),
);

function orEnvError<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new EnvError(error instanceof Error ? error.message : String(error));
  }
}

/** OpenID Connect Discovery 1.0, section 3: its metadata is below it. HTTP serves tests. */
export const jwtIssuer = validator('a URL without query and fragment, such as https://login.example.com', (value) =>
  /^https?:\/\/[^?#\s]+$/.test(value) && URL.canParse(value) ? value : undefined,
);

export const jwtAudience = listOf('audiences, such as https://api.example.com', Boolean);

export const databaseUrl = validator(
  'file:PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE',
  (value): DatabaseUrl | undefined => {
    if (value.startsWith('file://') && URL.canParse(value)) {
      return { provider: 'sqlite', file: fileURLToPath(value) };
    }
    if (/^file:.*[^/]$/.test(value) && !value.includes(':memory:')) {
      return { provider: 'sqlite', file: value.slice('file:'.length) };
    }
    // An @ in the path is part of a password in which a / is not percent-encoded.
    if (!/^postgres(ql)?:\/\/[^/]*(\/[^@]*)?$/.test(value) || !URL.canParse(value)) return undefined;
    const fault = tlsFaultOf(value);
    if (fault) throw new EnvError(fault);
    return { provider: 'postgresql', href: withVerifyFull(value) };
  },
);

export const trustProxy = validator(
  'true, false, a number of proxies, or a list of addresses and subnets',
  (value): TrustProxy | undefined => {
    if (value === 'true' || value === 'false') return value === 'true';
    const proxies = parseWholeNumber(value, 0, Number.POSITIVE_INFINITY);
    if (proxies !== undefined) return (_address, hop) => hop < proxies;
    const addresses = value.split(',').map((address) => address.trim());
    return addresses.every(isAddressOrSubnet) ? addresses : undefined;
  },
);

function isAddressOrSubnet(value: string): boolean {
  const [address = '', bits, ...more] = value.split('/');
  const version = isIP(address);
  // A zone is a name of an interface.
  if (version === 0 || address.includes('%') || more.length > 0) return false;
  return bits === undefined || parseWholeNumber(bits, 1, version === 4 ? 32 : 128) !== undefined;
}

/** As the Fetch standard serializes it: in lower case, with neither path nor default port. */
export const corsOrigins = listOf('origins as browsers send them, such as https://app.example.com', (origin) => {
  if (origin.includes('*'))
    throw new EnvError('must list each origin: with * any page could try passwords from the addresses of its visitors');
  return /^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin;
});
