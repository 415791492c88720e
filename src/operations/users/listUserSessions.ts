import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { listedSession } from '../../sessions/listed-session.js';
import type { Sessions } from '../../sessions/sessions.js';
import { findUser } from '../../users/find-user.js';

type Services = { database: Pick<Database, 'users'>; sessions: Pick<Sessions, 'list'> };

export const listUserSessions: Handler<'listUserSessions', Services> = async (
  { path: { id } },
  { database, sessions },
) => {
  await findUser(database.users, id);
  return { status: 200, body: { sessions: (await sessions.list(id)).map((session) => listedSession(session)) } };
};
