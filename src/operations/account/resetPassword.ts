import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { createDeadline } from '../../errors/deadline.js';
import type { HashNewServices } from '../../users/credentials.js';
import { resetPassword as reset } from '../../users/reset-password.js';

type Services = HashNewServices & { database: Pick<Database, 'users' | 'oneTimeTokens'>; loginTimeout: number };

export const resetPassword: Handler<'resetPassword', Services> = async (
  { body, client },
  { database, loginTimeout, ...services },
) => {
  const waiter = { ...client, deadline: createDeadline(loginTimeout) };
  const userId = await reset(body, database, services, waiter);
  return { status: 204, body: undefined, log: { event: 'password_reset', userId, by: `user:${userId}` } };
};
