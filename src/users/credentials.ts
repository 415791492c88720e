import { loadContract } from '../contract/contract.js';
import { compileSchema } from '../contract/validation.js';
import type { StoredDigest } from '../database/users.js';
import { EXIT } from '../errors/exit-codes.js';
import { type FieldError, HttpError } from '../errors/http-error.js';
import { type Passwords, PasswordTooLong } from '../passwords/passwords.js';
import { isDecoded } from '../text/utf8.js';

/** A login would not accept an email or a password. */
class CredentialsRefused extends HttpError {
  override readonly exitCode = EXIT.DATAERR;

  constructor(errors: FieldError[]) {
    super(422, '', { errors, message: errors.map(({ field, message }) => `${field} ${message}`).join('; ') });
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

/**
 * Hashes the password of new credentials.
 *
 * @throws CredentialsRefused
 */
export async function hashNew(email: string, password: string, passwords: Passwords): Promise<StoredDigest> {
  const errors = createCredentialsCheck()({ email, password });
  if (errors.length > 0) throw new CredentialsRefused(errors);
  return passwords.hash(password).catch((error) => {
    throw error instanceof PasswordTooLong
      ? new CredentialsRefused([{ field: 'password', message: error.message }])
      : error;
  });
}
