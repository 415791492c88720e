import { type DriverAdapterError, isDriverAdapterError } from '@prisma/driver-adapter-utils';
import type { DatabaseUrl } from '../config/config.js';
import { ExpectedError } from '../errors/expected-error.js';

/** The database did not do what was asked; whoever asked may try again. The reason is in `cause`. */
export class DatabaseUnavailable extends ExpectedError {
  constructor(url: DatabaseUrl, cause: unknown) {
    super(`the database at ${placeOf(url)} does not answer: ${reasonOf(cause)}`, { cause });
  }
}

export function isBusy(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_BUSY';
}

/** PostgreSQL's invalid_password, and invalid_authorization_specification: there is no such role. */
export function isRefused(error: unknown): boolean {
  return ['28P01', '28000'].includes(String(codeOf(error)));
}

/** The URL without its password. */
function placeOf(url: DatabaseUrl): string {
  if (url.provider === 'sqlite') return `file:${url.file}`;
  const { protocol, host, pathname } = new URL(url.href);
  return `${protocol}//${host}${pathname}`;
}

/** The driver's own words; where it has none, its code, or the kind of its error, such as DatabaseNotReachable, in words. */
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
