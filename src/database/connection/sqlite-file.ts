import { statSync } from 'node:fs';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';

/** Another file is at the path of the open database. */
export class DatabaseReplaced extends ExpectedError {
  /** A restart opens the other file. */
  override readonly exitCode = EXIT.TEMPFAIL;
}

/** Milliseconds for which the answer to a check is used again. */
const CHECK_LIFETIME = 100;

/**
 * Checks that the file at a path stays the same: SQLite keeps a removed file open, and writes to it.
 *
 * @returns a function that throws where the file is gone, and DatabaseReplaced where it is another one
 */
export function createFileCheck(file: string): () => void {
  const opened = identityOf(file);
  let checkedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - checkedAt < CHECK_LIFETIME) return;
    const found = identityOf(file);
    if (found === undefined) throw new Error('the file has been removed');
    if (found !== opened) throw new DatabaseReplaced(`${file} has been replaced by another file: a restart opens it`);
    checkedAt = performance.now();
  };
}

/** Of an open file, whose inode no other file gets; undefined where there is none. */
function identityOf(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

/**
 * Of a file that may not be open: the next one may get the inode of one that was removed. The number of a device may be another one
 * after a reboot.
 */
export function lastingIdentityOf(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.ino}:${stats.birthtimeNs}`;
}
