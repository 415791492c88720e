import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import type { Passwords } from '../../passwords/passwords.js';
import { listUsers as list } from '../../users/list-users.js';
import { publicUser } from '../../users/public-user.js';

type Services = { database: Pick<Database, 'users'>; passwords: Pick<Passwords, 'formOf'> };

export const listUsers: Handler<'listUsers', Services> = async ({ query = {} }, { database, passwords }) => {
  const { email_prefix: emailPrefix, limit = 100, ...filter } = query;
  const { users, next } = await list(database.users, { ...filter, emailPrefix, limit });
  return {
    status: 200,
    body: { users: users.map((user) => publicUser(user, passwords)), ...(next !== undefined && { next }) },
  };
};
