import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { HttpError } from '../../errors/http-error.js';
import { findUser } from '../../users/find-user.js';

export const deleteUserSession: Handler<
  'deleteUserSession',
  { database: Pick<Database, 'users' | 'sessions'> }
> = async ({ path: { id, sid } }, { database }) => {
  await findUser(database.users, id);
  if (!(await database.sessions.end(id, sid))) throw new HttpError(404);
  return { status: 204, body: undefined, log: { event: 'session_ended', userId: id } };
};
