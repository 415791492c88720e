import { loadContract } from '../contract/contract.js';
import { compileSchema } from '../contract/validation.js';
import type { StoredDigest } from '../database/users.js';
import { EXIT } from '../errors/exit-codes.js';
import { type FieldError, HttpError } from '../errors/http-error.js';
import { type Passwords, PasswordTooLong } from '../passwords/passwords.js';
import { checkNewPassword } from '../passwords/policy.js';
import { isDecoded } from '../text/utf8.js';

export type Credentials = { email: string; password: string };

export type HashNewServices = {
  passwords: Pick<Passwords, 'hash'>;
  /** Characters of a password that is set. */
  passwordMinLength: number;
};

/** A login would not accept an email or a password, or the policy refuses a password. */
class CredentialsRefused extends HttpError {
  override readonly exitCode = EXIT.DATAERR;

  constructor(errors: FieldError[], code?: 'weak_password') {
    const message = errors.map(({ field, message }) => `${field} ${message}`).join('; ');
    super(422, '', { code, errors, message });
  }
}

/**
 * Returns the errors of credentials by the contract's schema of them.
 *
 * @param required - an email alone may be checked
 */
export function createCredentialsCheck(required = ['email', 'password']) {
  const { Credentials: schema } = loadContract().schemas;
  if (!schema) throw new Error('openapi.yaml: there is no schema Credentials');
  const check = compileSchema({ ...schema, required });
  return (credentials: { email: string; password?: string }): FieldError[] =>
    isDecoded(credentials.email) ? check(credentials) : [{ field: 'email', message: 'is not valid UTF-8' }];
}

/** @throws CredentialsRefused where a login would not accept the email or the password; operations have the contract for that */
export function refuseInvalid(credentials: Credentials): void {
  const errors = createCredentialsCheck()(credentials);
  if (errors.length > 0) throw new CredentialsRefused(errors);
}

/**
 * Hashes a password that a user is given.
 *
 * @param allowWeak - whether the policy does not apply
 * @throws CredentialsRefused, with the code `weak_password` where the policy refuses the password
 */
export async function hashNew(
  { email, password }: Credentials,
  { passwords, passwordMinLength: minLength }: HashNewServices,
  { allowWeak = false } = {},
): Promise<StoredDigest> {
  const errors = allowWeak ? [] : await checkNewPassword(password, { email, minLength });
  if (errors.length > 0) throw new CredentialsRefused(errors, 'weak_password');
  return passwords.hash(password).catch((error) => {
    if (!(error instanceof PasswordTooLong)) throw error;
    throw new CredentialsRefused([{ field: 'password', message: error.message, code: 'password_too_long' }]);
  });
}
