import type { UserRecord, Users } from '../database/users.js';
import { EXIT } from '../errors/exit-codes.js';
import { HttpError } from '../errors/http-error.js';

/** There is no such user. */
export class UserNotFound extends HttpError {
  override readonly exitCode = EXIT.NOUSER;

  /** @param message - for a command */
  constructor(message = 'there is no such user') {
    super(404, 'User not found', { code: 'user_not_found', message });
  }
}

/** What was asked is of no use to a disabled user. */
class UserDisabled extends HttpError {
  constructor() {
    super(409, 'The user is disabled', { code: 'user_disabled' });
  }
}

/** @throws UserNotFound, DatabaseUnavailable */
export async function findUser(users: Pick<Users, 'find'>, id: number): Promise<UserRecord> {
  const user = await users.find({ id });
  if (!user) throw new UserNotFound();
  return user;
}

/** @throws UserNotFound, UserDisabled, DatabaseUnavailable */
export async function findEnabledUser(users: Pick<Users, 'find'>, id: number): Promise<UserRecord> {
  const user = await findUser(users, id);
  if (user.disabledAt) throw new UserDisabled();
  return user;
}
