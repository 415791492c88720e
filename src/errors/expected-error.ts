import { EXIT } from './exit-codes.js';

/** An expected failure: its message is enough for the operator, so no stack is printed. */
export class ExpectedError extends Error {
  constructor(
    message: string,
    /** Of the process. */
    readonly exitCode: number = EXIT.FAILED,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
