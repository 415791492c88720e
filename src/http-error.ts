import type { FieldError } from './validation.js';

/** A failure that is expected, and answered with a status of the contract. */
export class HttpError extends Error {
  /**
   * @param message - where it is empty, the contract's own message for the status is sent
   */
  constructor(
    readonly statusCode: number,
    message = '',
    readonly errors?: FieldError[],
  ) {
    super(message);
  }
}
