import { type DriverAdapterError, isDriverAdapterError } from '@prisma/driver-adapter-utils';
import { isDiskFailure } from '../../errors/disk-failure.js';
import { EXIT } from '../../errors/exit-codes.js';
import { HttpError } from '../../errors/http-error.js';
import { type DatabaseUrl, redactedUrl } from './database-url.js';

/** The reason where a deadline has passed. */
export const NO_ANSWER = 'no answer in time';

/** What PostgreSQL refuses, by its codes. */
const REFUSALS = new Map([
  ['28P01', 'refuses the password'],
  ['28000', 'refuses the role'],
  ['3D000', 'is missing: the server has no such database'],
  ['42501', 'refuses a right to the role'],
]);

/** A query has failed; the caller may try again. The reason is in `cause`. */
export class DatabaseUnavailable extends HttpError {
  override readonly exitCode: number;

  constructor(url: DatabaseUrl, cause: unknown) {
    const code = String(codeOf(cause));
    const { fault, exitCode } = faultOf(code);
    const message = `the database at ${redactedUrl(url)} ${fault}: ${reasonOf(cause)}`;
    super(503, '', { message, cause, log: { outcome: 'database_unavailable' } });
    this.exitCode = exitCode;
  }
}

function faultOf(code: string): { fault: string; exitCode: number } {
  const refusal = REFUSALS.get(code);
  if (refusal) return { fault: refusal, exitCode: EXIT.NOPERM };
  if (isDiskFailure(code)) return { fault: 'has a full disk, or one that fails', exitCode: EXIT.IOERR };
  // A restart does not help.
  if (code.startsWith('SQLITE_CORRUPT')) return { fault: 'is damaged, restore a backup', exitCode: EXIT.CONFIG };
  const isUntrusted = /CERT|^UNABLE_TO_(GET|VERIFY)/.test(code);
  return {
    fault: isUntrusted ? 'has a certificate that is not trusted' : 'does not answer',
    exitCode: EXIT.UNAVAILABLE,
  };
}

/** SQLITE_BUSY, and its extended codes, in the words of Prisma's adapter. */
export function isBusy(error: unknown): error is Error {
  return driverErrorOf(error)?.kind === 'SocketTimeout';
}

/** A unique constraint is broken: resolves to undefined, since the database is not to blame. */
export function undefinedIfTaken(error: unknown): undefined {
  if (driverErrorOf(error)?.kind === 'UniqueConstraintViolation') return undefined;
  throw error;
}

/** PostgreSQL's invalid_password, and invalid_authorization_specification: there is no such role. */
export function isRefused(error: unknown): boolean {
  return ['28P01', '28000'].includes(String(codeOf(error)));
}

/** The driver's message; else its code, or the kind of its error in words, such as "database not reachable". */
function reasonOf(error: unknown): string {
  const driverError = driverErrorOf(error);
  if (driverError) {
    const { kind, originalMessage } = driverError;
    return originalMessage ?? kind.replaceAll(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
  }
  return error instanceof Error ? error.message || String(codeOf(error)) : String(error);
}

/** The driver's own code. */
function codeOf(error: unknown): unknown {
  const driverError = driverErrorOf(error);
  if (driverError) return driverError.originalCode;
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** The driver's error, which Prisma's adapter, and its client, wrap. */
function driverErrorOf(error: unknown): DriverAdapterError['cause'] | undefined {
  if (isDriverAdapterError(error)) return error.cause;
  if (!(error instanceof Error && 'meta' in error)) return undefined;
  const { driverAdapterError } = error.meta as { driverAdapterError?: unknown };
  return isDriverAdapterError(driverAdapterError) ? driverAdapterError.cause : undefined;
}
