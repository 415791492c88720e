import { ExpectedError } from './expected-error.js';

/** The client has hung up: nobody waits for the reply any more. */
export class ClientGone extends ExpectedError {
  constructor() {
    super('the client has hung up');
  }
}
