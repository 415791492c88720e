import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import type { Passwords } from '../../passwords/passwords.js';
import { Unauthorized } from '../../sessions/authenticate.js';
import { publicUser } from '../../users/public-user.js';

type Services = { database: Pick<Database, 'users'>; passwords: Pick<Passwords, 'formOf'> };

export const getOwnUser: Handler<'getOwnUser', Services> = async ({ caller: { userId } }, { database, passwords }) => {
  const user = await database.users.find({ id: userId });
  // Deleted since the token was verified.
  if (!user) throw new Unauthorized('unknown_user', userId);
  return { status: 200, body: publicUser(user, passwords) };
};
