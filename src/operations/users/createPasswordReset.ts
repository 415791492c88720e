import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { createPasswordReset as create } from '../../users/reset-password.js';

type Services = { database: Pick<Database, 'users' | 'oneTimeTokens'> };

export const createPasswordReset: Handler<'createPasswordReset', Services> = async (
  { path: { id }, body },
  { database },
) => {
  const { token, expiresAt } = await create(id, database, body?.expires_in);
  return {
    status: 201,
    body: { token, expires_at: expiresAt.toISOString() },
    log: { event: 'password_reset_created', userId: id },
  };
};
