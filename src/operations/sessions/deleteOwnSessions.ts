import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { Unauthorized } from '../../sessions/authenticate.js';
import type { Revocation } from '../../sessions/sessions.js';

export const deleteOwnSessions: Handler<'deleteOwnSessions', { database: Pick<Database, 'sessions'> }> = async (
  { caller: { userId, sid }, query },
  { database: { sessions } },
) => {
  if (!query?.keep_current || sid === undefined) {
    await sessions.endAll(userId);
    return { status: 204, body: undefined, log: { revoked: 'all_sessions' satisfies Revocation } };
  }
  // It may have ended since the token was verified.
  if (!(await sessions.endOthers(userId, sid))) throw new Unauthorized('revoked_token', userId);
  return { status: 204, body: undefined, log: { revoked: 'other_sessions' satisfies Revocation } };
};
