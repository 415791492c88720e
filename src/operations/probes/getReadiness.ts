import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { HttpError } from '../../errors/http-error.js';

type Services = { database: Pick<Database, 'ping'>; draining: AbortSignal };

/** If the database does not answer, `ping` throws, and the reply is 503. */
export const getReadiness: Handler<'getReadiness', Services> = async (_input, { database, draining }) => {
  if (draining.aborted) throw new HttpError(503);
  await database.ping();
  // Proxies ask each second.
  return { status: 200, body: { status: 'ok' }, log: { level: 'debug' } };
};
