import type { Config } from './config.js';
import { loadContract, operationNamed } from './contract.js';
import { ExpectedError } from './expected-error.js';

/** Milliseconds for the answer, which costs the service next to nothing. */
const TIMEOUT = 3_000;

/** The service does not answer. */
class NotAlive extends ExpectedError {}

/**
 * Asks the service that runs here, configured by the same environment, whether it lives: for a container's HEALTHCHECK.
 *
 * @throws NotAlive
 */
export async function checkHealth({ host, port }: Pick<Config, 'host' | 'port'>): Promise<void> {
  const { path } = operationNamed(loadContract(), 'getLiveness');
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
  const status = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) }).then(
    (reply) => reply.status,
    (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message),
  );
  if (status !== 200) throw new NotAlive(`${url} answers ${status}`);
}
