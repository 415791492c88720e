import type { Callers } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import { HttpError, type LogFields } from '../errors/http-error.js';
import type { AdminTokens } from '../tokens/admin-tokens.js';
import type { Tokens } from '../tokens/tokens.js';

export const AUTHENTICATIONS = [
  'accepted',
  'no_token',
  'invalid_token',
  'expired_token',
  'revoked_token',
  'unknown_user',
  'disabled_user',
] as const;
type Authentication = (typeof AUTHENTICATIONS)[number];

type Authenticated<Scheme extends keyof Callers> = { caller: Callers[Scheme]; log: LogFields };

type AuthenticateOptions = {
  tokens: Pick<Tokens, 'verify'>;
  database: Pick<Database, 'findCaller'>;
};

/** There is no token, or it is not good. */
export class Unauthorized extends HttpError {
  constructor(authentication: Exclude<Authentication, 'accepted'>, userId?: number) {
    const tokenError = authentication === 'no_token' ? {} : { tokenError: 'invalid_token' as const };
    super(401, '', { ...tokenError, log: { authentication, userId } });
  }
}

/**
 * Tells which user calls, by a token. A bad signature costs no query.
 *
 * @param token - undefined where there is none
 * @throws Unauthorized, DatabaseUnavailable
 */
export async function authenticate(
  token: string | undefined,
  { tokens, database }: AuthenticateOptions,
): Promise<Authenticated<'userToken'>> {
  if (token === undefined) throw new Unauthorized('no_token');
  const verified = tokens.verify(token);
  const { authentication } = verified;
  if (authentication !== 'accepted') throw new Unauthorized(authentication);
  const { userId, exp, sid } = verified;
  const { user, isSessionGood } = await database.findCaller(verified);
  if (!user) throw new Unauthorized('unknown_user', userId);
  if (user.disabled) throw new Unauthorized('disabled_user', userId);
  if (!isSessionGood) throw new Unauthorized('revoked_token', userId);
  return { caller: { userId, exp, sid }, log: { authentication, userId } };
}

/**
 * Tells which admin token calls.
 *
 * @param token - undefined where there is none
 * @throws Unauthorized
 */
export function authenticateAdmin(
  token: string | undefined,
  adminTokens: Pick<AdminTokens, 'fingerprintOf'>,
): Authenticated<'adminToken'> {
  if (token === undefined) throw new Unauthorized('no_token');
  const fingerprint = adminTokens.fingerprintOf(token);
  if (fingerprint === undefined) throw new Unauthorized('invalid_token');
  return { caller: { fingerprint }, log: { authentication: 'accepted', by: `admin:${fingerprint}` } };
}
