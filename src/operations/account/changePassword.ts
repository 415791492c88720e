import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { type ChangePasswordServices, changePassword as change } from '../../users/change-password.js';

type Services = Omit<ChangePasswordServices, 'users'> & { database: Pick<Database, 'users'> };

export const changePassword: Handler<'changePassword', Services> = async ({ body, caller, client }, services) => {
  const { userId } = caller;
  const passwords = { currentPassword: body.current_password, password: body.password };
  const grant = await change(caller, passwords, client, { ...services, users: services.database.users });
  return { status: 200, body: grant, log: { event: 'password_changed', userId, by: `user:${userId}` } };
};
