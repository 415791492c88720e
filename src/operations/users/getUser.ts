import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import type { Passwords } from '../../passwords/passwords.js';
import type { FailedLogins } from '../../throttle/lockouts.js';
import { findUser } from '../../users/find-user.js';
import { publicUser } from '../../users/public-user.js';

type Services = {
  database: Pick<Database, 'users'>;
  passwords: Pick<Passwords, 'formOf'>;
  /** The failures that count against all addresses. */
  failedLogins(email: string): Promise<Pick<FailedLogins, 'lockedUntil'>[]>;
};

export const getUser: Handler<'getUser', Services> = async ({ path }, { database, passwords, failedLogins }) => {
  const user = await findUser(database.users, path.id);
  const [until] = (await failedLogins(user.email)).flatMap(({ lockedUntil }) => lockedUntil ?? []);
  return {
    status: 200,
    body: { ...publicUser(user, passwords), ...(until && { locked_until: until.toISOString() }) },
  };
};
