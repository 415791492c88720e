import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { confirmEmail as confirm } from '../../users/confirm-email.js';

type Services = { database: Pick<Database, 'oneTimeTokens'> };

export const confirmEmail: Handler<'confirmEmail', Services> = async ({ body }, { database }) => {
  const userId = await confirm(body.token, database.oneTimeTokens);
  return { status: 204, body: undefined, log: { event: 'email_confirmed', userId, by: `user:${userId}` } };
};
