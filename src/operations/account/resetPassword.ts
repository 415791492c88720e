import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import type { HashNewServices } from '../../users/credentials.js';
import { resetPassword as reset } from '../../users/reset-password.js';

type Services = HashNewServices & { database: Pick<Database, 'oneTimeTokens'> };

export const resetPassword: Handler<'resetPassword', Services> = async ({ body }, { database, ...services }) => {
  const userId = await reset(body, database.oneTimeTokens, services);
  return { status: 204, body: undefined, log: { event: 'password_reset', userId, by: `user:${userId}` } };
};
