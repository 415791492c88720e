import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';

/** Another file is at the path of the open database. */
export class DatabaseReplaced extends ExpectedError {
  /** A restart opens the other file. */
  override readonly exitCode = EXIT.TEMPFAIL;
}

/** How an SQLite file begins. */
const MAGIC = 'SQLite format 3\0';

export type FileCheck = {
  /** Throws where the file is gone, truncated or overwritten, and DatabaseReplaced where it is another one. */
  check(): void;
  /** Once no connection is left. */
  close(): void;
};

/** Milliseconds for which the answer to a check is used again. */
const CHECK_LIFETIME = 100;

/**
 * Checks that the file at a path stays the same: SQLite keeps a removed file open, and writes to it. It also serves what it has in memory
 * and in the write-ahead log of a file that has been overwritten.
 */
export function createFileCheck(file: string): FileCheck {
  const opened = identityOf(file);
  // Open to the end: SQLite's locks are those of the process, and closing any descriptor of the file drops them.
  const fd = openSync(file, 'r');
  let last = readHeader(fd);
  let checkedAt = Number.NEGATIVE_INFINITY;
  return {
    check() {
      if (performance.now() - checkedAt < CHECK_LIFETIME) return;
      const found = identityOf(file);
      if (found === undefined) throw new Error('the file has been removed');
      if (found !== opened) throw new DatabaseReplaced(`${file} has been replaced by another file: a restart opens it`);
      const header = readHeader(fd);
      if (!maySucceed(header, last))
        throw new Error('the file has been truncated or overwritten: stop the service and restore a backup');
      last = header;
      checkedAt = performance.now();
    },
    close: () => closeSync(fd),
  };
}

type Header = ReturnType<typeof readHeader>;

/** Reads SQLite's "database header", at the start of the file. */
function readHeader(fd: number) {
  const bytes = Buffer.alloc(64);
  readSync(fd, bytes, 0, bytes.length, 0);
  return {
    magic: bytes.toString('latin1', 0, MAGIC.length),
    /** Grows. */
    changes: bytes.readUInt32BE(24),
    /** That of `PRAGMA user_version`, by which migrate tells databases apart. */
    id: bytes.readUInt32BE(60),
    sizeOfPages: bytes.readUInt32BE(28) * bytes.readUInt16BE(16),
    size: fstatSync(fd).size,
  };
}

export function isSqliteFile(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    return readHeader(fd).magic === MAGIC;
  } finally {
    closeSync(fd);
  }
}

/** Whether SQLite may have written a header after another one. While it writes, the file may be smaller than its pages. */
function maySucceed({ magic, changes, id, sizeOfPages, size }: Header, last: Header): boolean {
  const isShorter = size < last.size && size < sizeOfPages;
  return magic === MAGIC && changes >= last.changes && (last.id === 0 || id === last.id) && !isShorter;
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
