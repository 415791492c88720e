import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { createEmailConfirmation as create } from '../../users/confirm-email.js';

type Services = { database: Pick<Database, 'users' | 'oneTimeTokens'> };

export const createEmailConfirmation: Handler<'createEmailConfirmation', Services> = async (
  { path: { id }, body },
  { database },
) => {
  const { token, expiresAt } = await create(id, database, { email: body?.email, expiresIn: body?.expires_in });
  return {
    status: 201,
    body: { token, expires_at: expiresAt.toISOString() },
    log: { event: 'email_confirmation_created', userId: id },
  };
};
