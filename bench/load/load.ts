import autocannon, { type Request, type Result } from 'autocannon';

/**
 * Opens a connection for each list of requests, and sends them in turn, over and over.
 *
 * @param limit - `duration` in seconds, or the `amount` of requests of all connections
 */
export async function load(
  url: string,
  lists: Request[][],
  limit: { duration: number } | { amount: number },
): Promise<Result> {
  const left = [...lists];
  return autocannon({
    url,
    connections: lists.length,
    ...limit,
    setupClient: (client) => client.setRequests(left.pop() ?? []),
  });
}
