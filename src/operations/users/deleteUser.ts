import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { UserNotFound } from '../../users/find-user.js';

export const deleteUser: Handler<'deleteUser', { database: Pick<Database, 'users'> }> = async (
  { path: { id } },
  { database },
) => {
  if (!(await database.users.delete(id))) throw new UserNotFound();
  return { status: 204, body: undefined, log: { event: 'user_deleted', userId: id } };
};
