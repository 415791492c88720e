import { NO_DIGEST, type UserRecord, type Users } from '../database/users.js';
import type { Waiter } from '../passwords/hash-queue.js';
import { digestOf, type HashNewServices, type NewSecret } from './credentials.js';

export type CreateUserServices = HashNewServices & { users: Pick<Users, 'add'> };

export type UserCreation = NewSecret & {
  email: string;
  /** Drawn unless given. */
  id?: number | undefined;
  disabled?: boolean | undefined;
  emailConfirmed?: boolean | undefined;
};

/**
 * Creates a user with a password, with the digest of one, or with neither.
 *
 * @param waiter - may leave the queue of hashes
 * @throws CredentialsRefused, HttpError, Taken, Overloaded, ClientGone, DatabaseUnavailable
 */
export async function createUser(
  user: UserCreation,
  services: CreateUserServices,
  waiter?: Waiter,
): Promise<UserRecord> {
  const { email, id, disabled = false, emailConfirmed = false } = user;
  const digest = (await digestOf(user, services, waiter)) ?? NO_DIGEST;
  const at = new Date();
  return services.users.add(email, digest, {
    ...(id !== undefined && { id }),
    ...(disabled && { disabledAt: at }),
    ...(emailConfirmed && { emailConfirmedAt: at }),
  });
}
