/** An expected failure: its message tells the operator all that is needed, so no stack is shown. */
export class ExpectedError extends Error {
  /** Of the process; see sysexits.h where it is not 1. */
  readonly exitCode: number = 1;
}
