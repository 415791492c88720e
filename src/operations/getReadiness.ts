import type { Handler } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import { HttpError } from '../errors/http-error.js';

type Services = { database: Pick<Database, 'ping'>; draining: AbortSignal };

/** A database that does not answer is thrown, and answered with 503, as it is everywhere. */
export const getReadiness: Handler<'getReadiness', Services> = async (_input, { database, draining }) => {
  if (draining.aborted) throw new HttpError(503);
  await database.ping();
  // Proxies ask each second.
  return { status: 200, body: { status: 'ok' }, log: { level: 'debug' } };
};
