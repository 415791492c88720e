import type { Handler } from '../contract/handler.js';
import { HttpError } from '../errors/http-error.js';

/** A database that does not answer is thrown, and answered with 503, as it is everywhere. */
export const getReadiness: Handler<'getReadiness'> = async (_input, { database, stopping }) => {
  if (stopping.aborted) throw new HttpError(503);
  await database.ping();
  return { status: 200, body: { status: 'ok' } };
};
