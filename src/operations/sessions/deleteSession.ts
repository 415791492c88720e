import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import type { Revocation } from '../../sessions/sessions.js';

/** A token without `sid` names no session: all end. */
export const deleteSession: Handler<'deleteSession', { database: Pick<Database, 'sessions'> }> = async (
  { caller: { userId, sid } },
  { database: { sessions } },
) => {
  await (sid === undefined ? sessions.endAll(userId) : sessions.end(userId, sid));
  const revoked: Revocation = sid === undefined ? 'all_sessions' : 'session';
  return { status: 204, body: undefined, log: { revoked } };
};
