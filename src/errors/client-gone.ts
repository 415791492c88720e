import { ExpectedError } from './expected-error.js';
import type { FailureOutcome } from './http-error.js';

/** The client has hung up: nobody waits for the reply any more. */
export class ClientGone extends ExpectedError {
  static readonly outcome: FailureOutcome = 'client_gone';

  constructor() {
    super('the client has hung up');
  }
}
