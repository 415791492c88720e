import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { findUser } from '../../users/find-user.js';

export const deleteUserSessions: Handler<
  'deleteUserSessions',
  { database: Pick<Database, 'users' | 'sessions'> }
> = async ({ path: { id } }, { database }) => {
  await findUser(database.users, id);
  await database.sessions.endAll(id);
  return { status: 204, body: undefined, log: { event: 'sessions_ended', userId: id } };
};
