import { HttpError } from './http-error.js';

/** The service can't answer in time. */
export class Overloaded extends HttpError {
  constructor(retryAfterSeconds = 1) {
    const message = 'the queue is full, or the wait too long';
    super(503, '', { code: 'overloaded', retryAfterSeconds, message, log: { outcome: 'overloaded' } });
  }
}
