import { EXIT } from './exit-codes.js';
import { ExpectedError } from './expected-error.js';

export type FieldError = {
  field: string;
  message: string;
  /** For programs. */
  code: string;
};

/** Outcomes of failures, by their names in the log and the metrics. Each failure states one of these. */
export const FAILURE_OUTCOMES = ['throttled', 'overloaded', 'database_unavailable', 'client_gone'] as const;
export type FailureOutcome = (typeof FAILURE_OUTCOMES)[number];

/** What is done with a user, by its name in the log. */
export type UserEvent =
  | 'user_created'
  | 'users_imported'
  | 'user_updated'
  | 'user_deleted'
  | 'user_unlocked'
  | 'password_changed'
  | 'password_reset'
  | 'password_reset_created'
  | 'email_confirmed'
  | 'email_confirmation_created'
  | 'session_created'
  | 'session_ended'
  | 'sessions_ended';

/** What an operation or a failure adds to a request's line in the log. Metrics count the outcome. */
export type LogFields = {
  outcome?: string;
  userId?: number | undefined;
  budget?: string;
  /** The sessions that the user has ended. */
  revoked?: string;
  /** The outcome of a renewal. */
  renewal?: string;
  /** The outcome of authentication. */
  authentication?: string;
  /** What has been done with a user. Never what was set. */
  event?: UserEvent;
  /** By whom. */
  by?: string;
  /** Of the line; `info` unless given. */
  level?: 'info' | 'debug';
};

type Details = {
  /** For programs, if it differs from the contract's own code for the status. */
  code?: string;
  /** Of fields. */
  errors?: FieldError[];
  retryAfterSeconds?: number;
  /** What is wrong with a token (RFC 6750, section 3.1). */
  tokenError?: 'invalid_token';
  log?: LogFields & { outcome?: FailureOutcome };
  /** For the operator, if it differs from the client's. */
  message?: string;
  cause?: unknown;
};

/** An expected failure, answered with a status of the contract. */
export class HttpError extends ExpectedError {
  readonly clientCode: string | undefined;
  readonly errors: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly tokenError: Details['tokenError'];
  readonly log: Details['log'];

  /**
   * @param clientMessage - empty for the contract's own message for the status
   */
  constructor(
    readonly status: number,
    readonly clientMessage = '',
    { code, errors, retryAfterSeconds, tokenError, log, message = clientMessage, cause }: Details = {},
  ) {
    super(message, EXIT.FAILED, cause === undefined ? undefined : { cause });
    this.clientCode = code;
    this.errors = errors;
    this.retryAfterSeconds = retryAfterSeconds;
    this.tokenError = tokenError;
    this.log = log;
  }
}
