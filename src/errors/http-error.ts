import type { FieldError } from '../contract/validation.js';

/** A failure that is expected, and answered with a status of the contract. */
export class HttpError extends Error {
  readonly errors: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  /**
   * @param message - where it is empty, the contract's own message for the status is sent
   */
  constructor(
    readonly statusCode: number,
    message = '',
    { errors, retryAfterSeconds }: { errors?: FieldError[]; retryAfterSeconds?: number } = {},
  ) {
    super(message);
    this.errors = errors;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
