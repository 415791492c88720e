/** The client has hung up: nobody waits for the answer any more. */
export class ClientGone extends Error {
  constructor() {
    super('the client has hung up');
  }
}
