import type { Handler } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import type { Revocation } from '../database/revocations.js';

export const deleteOwnSessions: Handler<'deleteOwnSessions', { database: Pick<Database, 'revocations'> }> = async (
  { caller },
  { database },
) => {
  await database.revocations.endSessions(caller.userId);
  return { status: 204, body: undefined, log: { revoked: 'all_sessions' satisfies Revocation } };
};
