import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { readConfig } from '../config/config.js';
import { loadContract, operationNamed } from '../contract/contract.js';
import { ExpectedError } from '../errors/expected-error.js';

const TIMEOUT_MS = 3_000;

/** Calls the liveness endpoint of the service with the same environment: for a container's HEALTHCHECK. */
export async function checkHealth(env: NodeJS.ProcessEnv): Promise<void> {
  // Other variables may be wrong by now: the running service keeps the values from its start.
  const { HOST, PORT } = env;
  const { host, port } = readConfig({ HOST, PORT }, { issuesTokens: false });
  const { path } = operationNamed(loadContract(), 'getLiveness');
  // fetch refuses the ports that browsers block.
  const request = get({ host, port, path, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const answer: Promise<IncomingMessage[]> = once(request, 'response');
  const status = await answer.then(
    ([response]) => response?.resume().statusCode,
    (error: Error) => error.message,
  );
  if (status !== 200) throw new ExpectedError(`GET ${path} on port ${port}: ${status}`);
}
