import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { updateUser } from '../../users/update-user.js';

export const deleteUserLockout: Handler<'deleteUserLockout', { database: Pick<Database, 'users'> }> = async (
  { path: { id } },
  { database },
) => {
  await updateUser(database.users, id, { unlocked: true });
  return { status: 204, body: undefined, log: { event: 'user_unlocked', userId: id } };
};
