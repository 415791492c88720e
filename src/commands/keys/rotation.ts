import { readConfig } from '../../config/config.js';
import { loadContract, operationNamed } from '../../contract/contract.js';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { parseWholeNumber } from '../../text/whole-number.js';
import type { StoredJwk, StoredKey } from './keys-file.js';

// Times are in seconds since the epoch.

export type Step = {
  /** When all instances had the file; by default when the last command ran. */
  publishedAt?: Date;
  /** Takes the step at any time, after a leak. */
  force?: true;
};

/** A key must not sign before verifiers know it. One may have just fetched the keys, from a cache that is as old. */
export function promotableAt({ jwk }: StoredKey, step: Step = {}): number {
  return publishedAt(jwk.added_at, step) + 2 * jwksMaxAge();
}

/** A key verifies until the last token that it has signed expires. A key that was never retired has signed none. */
export function removableAt({ jwk }: StoredKey, env: NodeJS.ProcessEnv, step: Step = {}): number {
  const at = publishedAt(jwk.retired_at ?? jwk.added_at, step);
  const hasSigned = jwk.retired_at !== undefined || step.publishedAt !== undefined;
  return hasSigned ? at + longestTtlOf(jwk, env) : at;
}

/** Notes the longest lifetime of the tokens that a key signs: the variable may change before the key is removed. */
export function withTtl(jwk: StoredJwk, env: NodeJS.ProcessEnv): StoredJwk {
  return { ...jwk, token_ttl_seconds: longestTtlOf(jwk, env) };
}

/** The longest lifetime, in seconds, of the tokens that a key has signed, as far as is known. */
function longestTtlOf({ token_ttl_seconds: noted = 0 }: StoredJwk, env: NodeJS.ProcessEnv): number {
  // The file may not be there yet.
  const { JWT_KEYS_FILE: _, ...others } = env;
  return Math.max(noted, readConfig(others, { issuesTokens: false }).tokenTtlSeconds);
}

/** @param changedAt - when the file of the step before was written */
function publishedAt(changedAt: number | undefined, step: Step): number {
  if (!step.publishedAt) return changedAt ?? Number.POSITIVE_INFINITY;
  const at = Math.ceil(step.publishedAt.getTime() / 1000);
  if (changedAt === undefined || at >= changedAt) return at;
  throw new ExpectedError(`--published-at must not be before ${formatSeconds(changedAt)}, the step before`, EXIT.USAGE);
}

/** @throws ExpectedError with the time: the step would make good tokens fail */
export function refuseUntil(time: number, what: string, { force }: Step): void {
  if (force || time <= nowInSeconds()) return;
  throw new ExpectedError(
    Number.isFinite(time)
      ? `${what} at ${formatSeconds(time)} at the earliest; after a leak, --force does it now`
      : `the file does not say when it was published: pass the time, as in --published-at 2026-01-31T12:00:00Z`,
    EXIT.TEMPFAIL,
  );
}

export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

export function formatSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '');
}

/** Seconds for which verifiers keep the public keys. */
function jwksMaxAge(): number {
  const headers = operationNamed(loadContract(), 'getJwks').replies.get(200)?.headers;
  const directives = String(headers?.get('Cache-Control')?.const).split(',');
  const [, value = ''] =
    directives.map((directive) => directive.trim().split('=')).find(([name]) => name === 'max-age') ?? [];
  const maxAge = parseWholeNumber(value, 0, Number.MAX_SAFE_INTEGER);
  if (maxAge === undefined) throw new Error('openapi.yaml: getJwks must declare a max-age');
  return maxAge;
}
