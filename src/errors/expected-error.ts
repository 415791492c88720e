/** A failure that whoever gave the command can mend: the message is all that they need, and no stack is shown. */
export class ExpectedError extends Error {
  /** Of the process; see sysexits.h where it is not 1. */
  readonly exitCode: number = 1;
}
