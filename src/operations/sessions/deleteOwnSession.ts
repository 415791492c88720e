import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { HttpError } from '../../errors/http-error.js';
import type { Revocation } from '../../sessions/sessions.js';

export const deleteOwnSession: Handler<'deleteOwnSession', { database: Pick<Database, 'sessions'> }> = async (
  { caller, path },
  { database },
) => {
  if (!(await database.sessions.end(caller.userId, path.sid))) throw new HttpError(404);
  return { status: 204, body: undefined, log: { revoked: 'session' satisfies Revocation } };
};
