import type { Handler } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import type { Revocation } from '../database/revocations.js';

export const deleteSession: Handler<'deleteSession', { database: Pick<Database, 'revocations'> }> = async (
  { caller },
  { database },
) => {
  await database.revocations.revoke(caller);
  return { status: 204, body: undefined, log: { revoked: 'session' satisfies Revocation } };
};
