import { readConfig } from '../../config/config.js';
import { loadContract, operationNamed } from '../../contract/contract.js';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { parseWholeNumber } from '../../text/whole-number.js';
import type { StoredKey } from './keys-file.js';

// Times are in seconds since the epoch.

/** A step of a rotation would make good tokens fail. */
class TooEarly extends ExpectedError {
  override readonly exitCode = EXIT.TEMPFAIL;
}

export type Step = {
  /** When all replicas had the file; by default when the command before was run. */
  publishedAt?: Date;
  /** Whether the step is taken at any time: the key has leaked. */
  force?: true;
};

/** A token must not be signed with a key before verifiers know it: one may have asked just before, another a proxy's cache. */
export function promotableAt({ jwk }: StoredKey, { publishedAt }: Step = {}): number {
  const since = publishedAt ? secondsOf(publishedAt) : (jwk.added_at ?? Number.POSITIVE_INFINITY);
  return since + 2 * jwksMaxAge();
}

/** A key verifies until the last token that it has signed expires. One that was added, and never retired, has signed none. */
export function removableAt({ jwk }: StoredKey, env: NodeJS.ProcessEnv, { publishedAt }: Step = {}): number {
  const signedUntil = publishedAt ? secondsOf(publishedAt) : jwk.retired_at;
  if (signedUntil === undefined) return jwk.added_at ?? Number.POSITIVE_INFINITY;
  return signedUntil + readConfig(env, { issuesTokens: false }).tokenTtlSeconds;
}

/** @throws TooEarly with the time */
export function refuseUntil(time: number, what: string, { force }: Step): void {
  if (force || time <= nowInSeconds()) return;
  throw new TooEarly(
    Number.isFinite(time)
      ? `${what} at ${formatSeconds(time)} at the earliest; --force does it now, where a key has leaked`
      : `the file does not say when it was published: say it by --published-at, as in 2026-01-31T12:00:00Z`,
  );
}

export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

export function formatSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '');
}

function secondsOf(date: Date): number {
  return Math.ceil(date.getTime() / 1000);
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
