import type { Deadline } from '../errors/deadline.js';
import type { RunQuery } from './run-query.js';

/**
 * Reads a random key that all instances share. The migrations have made each.
 *
 * @throws DatabaseUnavailable
 */
export type ReadSecret = (name: 'stand_in' | 'throttle', deadline?: Deadline) => Promise<string>;

export function createReadSecret(run: RunQuery): ReadSecret {
  return async (name, deadline) => {
    const query = { operation: 'SELECT', table: 'secrets' };
    const { value } = await run(query, ({ secret }) => secret.findUniqueOrThrow({ where: { name } }), deadline);
    return value;
  };
}
