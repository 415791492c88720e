import { type Contract, operationNamed } from '../../contract/contract.js';
import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { createDeadline } from '../../errors/deadline.js';
import { createUser as create } from '../../users/create-user.js';
import type { HashNewServices } from '../../users/credentials.js';
import { publicUser } from '../../users/public-user.js';

type Services = HashNewServices & { contract: Contract; database: Pick<Database, 'users'>; loginTimeout: number };

export const createUser: Handler<'createUser', Services> = async (
  { body, client },
  { contract, database: { users }, loginTimeout, ...services },
) => {
  const { password_digest: passwordDigest, email_confirmed: emailConfirmed, ...given } = body;
  const waiter = { ...client, deadline: createDeadline(loginTimeout) };
  const user = await create({ ...given, passwordDigest, emailConfirmed }, { ...services, users }, waiter);
  return {
    status: 201,
    headers: { Location: operationNamed(contract, 'getUser').path.replace('{id}', String(user.id)) },
    body: publicUser(user, services.passwords),
    log: { event: 'user_created', userId: user.id },
  };
};
