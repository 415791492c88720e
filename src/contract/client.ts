/** Who waits for the answer. An AbortSignal for each costs about what the lookup in SQLite does. */
export type Client = {
  /** IPv4 or IPv6. */
  address: string;
  hasHungUp(): boolean;
  /**
   * Calls back when the client hangs up, once.
   *
   * @returns what takes that back
   */
  onHangUp(listener: () => void): () => void;
};

/** The client has hung up: nobody waits for the answer any more. */
export class ClientGone extends Error {
  constructor() {
    super('the client has hung up');
  }
}
