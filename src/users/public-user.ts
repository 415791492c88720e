import type { UserRecord } from '../database/users.js';
import type { components } from '../generated/contract.js';
import type { Passwords } from '../passwords/passwords.js';

/** A user as the contract shows it: never the digest. */
export function publicUser(user: UserRecord, passwords: Pick<Passwords, 'formOf'>): components['schemas']['User'] {
  const { id, email, version, createdAt, updatedAt, disabledAt, emailConfirmedAt, lastLoginAt } = user;
  const digest = passwords.formOf(user.passwordDigest);
  return {
    id,
    email,
    version,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
    ...(disabledAt && { disabled_at: disabledAt.toISOString() }),
    ...(emailConfirmedAt && { email_confirmed_at: emailConfirmedAt.toISOString() }),
    ...(lastLoginAt && { last_login_at: lastLoginAt.toISOString() }),
    ...(digest && { digest_format: digest.format }),
  };
}
