import type { Handler } from '../../contract/handler.js';
import type { Database } from '../../database/database.js';
import { HttpError } from '../../errors/http-error.js';
import type { Sessions } from '../../sessions/sessions.js';
import { shortestAddress } from '../../text/ip-address.js';
import { findEnabledUser } from '../../users/find-user.js';
import type { LastLogins } from '../../users/last-logins.js';

type Services = {
  database: Pick<Database, 'users'>;
  sessions: Pick<Sessions, 'start'>;
  lastLogins: Pick<LastLogins, 'add'>;
};

export const createUserSession: Handler<'createUserSession', Services> = async (
  { path: { id }, body = {}, client },
  { database, sessions, lastLogins },
) => {
  const { client_address: given, user_agent: userAgent, remember } = body;
  const address = given === undefined ? client.address : shortestAddress(given);
  if (address === undefined) throw new HttpError(422, '', { errors: [NO_ADDRESS] });
  const user = await findEnabledUser(database.users, id);
  const grant = await sessions.start(user, { address, userAgent }, { remember });
  lastLogins.add({ id, lastLoginAt: user.lastLoginAt?.getTime() ?? 0 });
  return { status: 201, body: grant, log: { event: 'session_created', userId: id } };
};

const NO_ADDRESS = { field: 'client_address', message: 'must be an IP address', code: 'malformed' };
