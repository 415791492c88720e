import type { StoredDigest } from '../../database/users.js';
import { type HashNewServices, hashNew, refuseInvalid } from '../../users/credentials.js';
import { readPassword } from './prompt.js';

export type NewPasswordOptions = { allowWeak?: true };

/**
 * Reads a new password, and hashes it.
 *
 * @throws ExpectedError, CredentialsRefused
 */
export async function readNewPassword(
  email: string,
  services: HashNewServices,
  options: NewPasswordOptions,
): Promise<StoredDigest> {
  const credentials = { email, password: await readPassword() };
  refuseInvalid(credentials);
  return hashNew(credentials, services, options);
}
