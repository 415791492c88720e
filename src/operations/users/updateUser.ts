import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { createDeadline } from '../../errors/deadline.js';
import { digestOf, type HashNewServices } from '../../users/credentials.js';
import { findUser } from '../../users/find-user.js';
import { publicUser } from '../../users/public-user.js';
import { updateUser as update } from '../../users/update-user.js';

type Services = HashNewServices & { database: Pick<Database, 'users'>; loginTimeout: number };

export const updateUser: Handler<'updateUser', Services> = async (
  { path: { id }, body, client },
  { database: { users }, loginTimeout, ...services },
) => {
  const { password, password_digest: passwordDigest, email, disabled, version } = body;
  const waiter = { ...client, deadline: createDeadline(loginTimeout) };
  const setsDigest = password !== undefined || passwordDigest !== undefined;
  const secret = async () => ({ password, passwordDigest, email: email ?? (await findUser(users, id)).email });
  const digest = setsDigest ? await digestOf(await secret(), services, waiter) : undefined;
  const user = await update(users, id, { email, digest, disabled }, { version });
  return {
    status: 200,
    body: publicUser(user, services.passwords),
    log: { event: 'user_updated', userId: id },
  };
};
