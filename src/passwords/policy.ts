import type { FieldError } from '../errors/http-error.js';
import { normalizeEmail } from '../text/email.js';

/**
 * Returns why a password must not be set; for logins there is no policy.
 *
 * @param email - of the user
 * @param minLength - Unicode code points
 */
export async function checkNewPassword(
  password: string,
  { email, minLength }: { email: string; minLength: number },
): Promise<FieldError[]> {
  const errors: FieldError[] = [];
  const refuse = (code: string, message: string) => errors.push({ field: 'password', message, code });
  if ([...password].length < minLength) refuse('password_too_short', `must have at least ${minLength} characters`);
  if (isEmail(password, email)) refuse('password_is_email', 'must not be the email, or the part before its @');
  if (await isCommon(password)) refuse('password_too_common', 'must not be one of the most common passwords');
  return errors;
}

function isEmail(password: string, email: string): boolean {
  const normal = normalizeEmail(email);
  return [normal, normal.slice(0, normal.lastIndexOf('@'))].includes(normalizeEmail(password));
}

/** Among 49,000, in lower case. Loaded at the first use: `serve` starts without them. */
async function isCommon(password: string): Promise<boolean> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return dictionary['passwords-common'].includes(password.toLowerCase());
}
