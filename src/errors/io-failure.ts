import { isDiskFailure } from './disk-failure.js';
import { EXIT } from './exit-codes.js';
import { ExpectedError } from './expected-error.js';

/** A file can't be read, created or written to. */
export class IoFailure extends ExpectedError {
  /**
   * @param what - begins the message, such as `users.csv can’t be read`
   * @param otherwise - the exit code unless the disk is full or fails
   */
  constructor(what: string, cause: unknown, otherwise: number = EXIT.IOERR) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const message = `${what}: ${cause instanceof Error ? cause.message : cause}`;
    super(message, isDiskFailure(code) ? EXIT.IOERR : otherwise, { cause });
  }
}
