import { isDiskFailure } from './disk-failure.js';
import { EXIT } from './exit-codes.js';
import { ExpectedError } from './expected-error.js';

/** A file can't be read, created or written to. */
export class IoFailure extends ExpectedError {
  override readonly exitCode: number;

  /**
   * @param what - begins the message, such as `users.csv can’t be read`
   * @param otherwise - the exit code unless the disk is full or fails
   */
  constructor(what: string, cause: unknown, otherwise: number = EXIT.IOERR) {
    super(`${what}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    this.exitCode = isDiskFailure(code) ? EXIT.IOERR : otherwise;
  }
}
