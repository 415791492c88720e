import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { readConfig } from '../config/config.js';
import { loadContract, operationNamed } from '../contract/contract.js';
import { ExpectedError } from '../errors/expected-error.js';

/** Milliseconds for the answer, which costs the service next to nothing. */
const TIMEOUT = 3_000;

/** The service does not answer. */
class NotAlive extends ExpectedError {}

/**
 * Asks the service that runs here, configured by the same environment, whether it lives: for a container's HEALTHCHECK.
 *
 * @throws NotAlive
 */
export async function checkHealth(env: NodeJS.ProcessEnv): Promise<void> {
  const { host, port } = readConfig(env, { issuesTokens: false });
  const { path } = operationNamed(loadContract(), 'getLiveness');
  // Not fetch, which refuses ports that browsers refuse.
  const request = get({ host, port, path, agent: false, signal: AbortSignal.timeout(TIMEOUT) });
  const answer: Promise<IncomingMessage[]> = once(request, 'response');
  const status = await answer.then(
    ([response]) => response?.resume().statusCode,
    (error: Error) => error.message,
  );
  if (status !== 200) throw new NotAlive(`${path} on port ${port} answers ${status}`);
}
