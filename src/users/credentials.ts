import { loadContract } from '../contract/contract.js';
import { compileSchema } from '../contract/validation.js';
import type { StoredDigest } from '../database/users.js';
import { EXIT } from '../errors/exit-codes.js';
import { type FieldError, HttpError } from '../errors/http-error.js';
import type { Waiter } from '../passwords/hash-queue.js';
import { type Passwords, PasswordTooLong } from '../passwords/passwords.js';
import { checkNewPassword } from '../passwords/policy.js';
import { isDecoded } from '../text/utf8.js';

export type Credentials = { email: string; password: string };

export type HashNewServices = {
  passwords: Pick<Passwords, 'hash' | 'formOf'>;
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

const NOT_UTF8: FieldError = { field: 'email', message: 'is not valid UTF-8', code: 'malformed' };

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
    isDecoded(credentials.email) ? check(credentials) : [NOT_UTF8];
}

/** @throws CredentialsRefused where a login would not accept the email or the password; operations have the contract for that */
export function refuseInvalid(credentials: { email: string; password?: string }): void {
  const errors = createCredentialsCheck(Object.keys(credentials))(credentials);
  if (errors.length > 0) throw new CredentialsRefused(errors);
}

/** @property waiter - may leave the queue of hashes */
type HashNewOptions = { allowWeak?: boolean | undefined; waiter?: Waiter };

/**
 * Hashes a password that a user is given.
 *
 * @param options.allowWeak - whether the policy does not apply
 * @throws CredentialsRefused, with the code `weak_password` where the policy refuses the password; Overloaded and ClientGone with a
 *   waiter
 */
export async function hashNew(
  { email, password }: Credentials,
  { passwords, passwordMinLength: minLength }: HashNewServices,
  { allowWeak = false, waiter }: HashNewOptions = {},
): Promise<StoredDigest> {
  const errors = allowWeak ? [] : await checkNewPassword(password, { email, minLength });
  if (errors.length > 0) throw new CredentialsRefused(errors, 'weak_password');
  return passwords.hash(password, waiter).catch((error) => {
    if (!(error instanceof PasswordTooLong)) throw error;
    throw new CredentialsRefused([{ field: 'password', message: error.message, code: 'password_too_long' }]);
  });
}

/** What a user is to log in with: at most one of them. */
export type NewSecret = { password?: string | undefined; passwordDigest?: string | undefined };

/**
 * Makes the digest of what is given; undefined where neither is.
 *
 * @throws HttpError for both, and for a digest of an unknown format; CredentialsRefused
 */
export async function digestOf(
  { email, password, passwordDigest }: NewSecret & { email: string },
  services: HashNewServices,
  waiter?: Waiter,
): Promise<StoredDigest | undefined> {
  if (passwordDigest === undefined) {
    return password === undefined ? undefined : hashNew({ email, password }, services, waiter && { waiter });
  }
  if (password !== undefined) throw digestRefused('must not be given beside password', 'conflicting');
  if (!services.passwords.formOf(passwordDigest)) throw digestRefused('is of no known format', 'unknown_format');
  return { passwordDigest, peppered: null, pepper: null };
}

function digestRefused(message: string, code: string): HttpError {
  const errors = [{ field: 'password_digest', message, code }];
  return new HttpError(422, 'Invalid request', { code: 'invalid_request', errors });
}
