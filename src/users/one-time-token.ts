import { createHash, randomBytes } from 'node:crypto';
import type { OneTimeTokenKind, OneTimeTokens } from '../database/one-time-tokens.js';
import { HttpError } from '../errors/http-error.js';

export type IssuedToken = { token: string; expiresAt: Date };

/** A token is wrong, used, expired or void: one answer, so that guesses tell nothing. */
export class TokenRefused extends HttpError {
  constructor() {
    super(403, '', { code: 'token_refused' });
  }
}

/** They can't be guessed. */
const BYTES = 32;

const PREFIXES: { [Kind in OneTimeTokenKind]: string } = { password_reset: 'pr_', email_confirmation: 'ec_' };

type Issue = {
  kind: OneTimeTokenKind;
  userId: number;
  /** What the token confirms. */
  newEmail?: string;
  /** Seconds. */
  expiresIn: number;
};

/** Draws a token, of which the database has the hash. It voids the user's earlier one of its kind. */
export async function issueOneTimeToken(
  oneTimeTokens: Pick<OneTimeTokens, 'store'>,
  { expiresIn, ...issue }: Issue,
): Promise<IssuedToken> {
  const token = PREFIXES[issue.kind] + randomBytes(BYTES).toString('base64url');
  const expiresAt = Date.now() + 1_000 * expiresIn;
  await oneTimeTokens.store({ ...issue, hash: hashOf(token), expiresAt });
  return { token, expiresAt: new Date(expiresAt) };
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
