import { EXIT } from './exit-codes.js';

/** An expected failure: its message tells the operator all that is needed, so no stack is shown. */
export class ExpectedError extends Error {
  /** Of the process. */
  readonly exitCode: number = EXIT.FAILED;
}
