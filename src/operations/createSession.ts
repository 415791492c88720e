import type { Handler } from '../contract/handler.js';
import type { Tokens } from '../tokens/tokens.js';
import { type LogInServices, logIn } from '../users/log-in.js';

/** One reply for an unknown email, a wrong password and a disabled user; only the log tells them apart. */
export const createSession: Handler<'createSession', LogInServices & { tokens: Pick<Tokens, 'issue'> }> = async (
  { body, client },
  { tokens, ...services },
) => {
  const { userId, outcome } = await logIn(body, client, services);
  const log = { outcome, userId };
  return outcome === 'succeeded'
    ? { status: 200, body: { auth_token: tokens.issue(userId) }, log }
    : { status: 401, body: { message: 'Invalid credentials' }, log };
};
