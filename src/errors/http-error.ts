import { ExpectedError } from './expected-error.js';

/** What is wrong with a field of a request. */
export type FieldError = { field: string; message: string };

/** How a request may end other than by its operation, as the log and the metrics name it. */
export const FAILURE_OUTCOMES = ['throttled', 'overloaded', 'database_unavailable', 'client_gone'] as const;
export type FailureOutcome = (typeof FAILURE_OUTCOMES)[number];

/** What an operation, or a failure, adds to a request's line in the log; metrics count by the outcome. */
export type LogFields = { outcome?: string; userId?: number | undefined; budget?: string };

type Details = {
  /** Where fields are to blame. */
  errors?: FieldError[];
  retryAfterSeconds?: number;
  log?: LogFields & { outcome?: FailureOutcome };
  /** For the operator, where the client is told less. */
  message?: string;
  cause?: unknown;
};

/** A failure that is expected, and answered with a status of the contract. */
export class HttpError extends ExpectedError {
  readonly errors: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly log: Details['log'];

  /**
   * @param clientMessage - where it is empty, the contract's own message for the status is sent
   */
  constructor(
    readonly status: number,
    readonly clientMessage = '',
    { errors, retryAfterSeconds, log, message = clientMessage, cause }: Details = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.errors = errors;
    this.retryAfterSeconds = retryAfterSeconds;
    this.log = log;
  }
}
