import { createHash, timingSafeEqual } from 'node:crypto';

/** As long as a random 256-bit key, which can't be guessed: failures are not throttled. */
export const ADMIN_TOKEN_MIN_BYTES = 32;

/** RFC 6750, section 2.1: what a bearer token may hold. */
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

export type AdminTokens = {
  /** The first 8 hex digits of a token's SHA-256, for the log; undefined where it is none of them. */
  fingerprintOf(token: string): string | undefined;
  replace(tokens: readonly string[]): void;
};

/** Tells the tokens of the application's backend, in constant time. */
export function createAdminTokens(tokens: readonly string[]): AdminTokens {
  let digests = tokens.map(digestOf);
  return {
    fingerprintOf(token) {
      const digest = digestOf(token);
      const [found] = digests.filter((known) => timingSafeEqual(known, digest));
      return found?.toString('hex', 0, 4);
    },
    replace(next) {
      digests = next.map(digestOf);
    },
  };
}

/**
 * Reads a list of tokens, separated by commas or lines.
 *
 * @throws Error that quotes none of them
 */
export function parseAdminTokens(text: string): string[] {
  const tokens = text.split(/,|\r?\n/).map((token) => token.trim());
  if (tokens.some((token) => token === '')) throw new Error('must not have an empty part');
  if (tokens.some((token) => Buffer.byteLength(token) < ADMIN_TOKEN_MIN_BYTES))
    throw new Error(`must have at least ${ADMIN_TOKEN_MIN_BYTES} bytes in each token`);
  if (!tokens.every((token) => BEARER_TOKEN.test(token)))
    throw new Error('must have only letters, digits and -._~+/ in each token, and = at its end');
  return tokens;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
