import type { Handler } from '../contract/handler.js';
import type { Tokens } from '../tokens/tokens.js';
import { type LogInServices, logIn } from '../users/log-in.js';

/** One reply for an unknown email, a wrong password and a disabled user; only the log tells them apart. */
export const createSession: Handler<'createSession', LogInServices & { tokens: Pick<Tokens, 'issue'> }> = async (
  { body, client },
  services,
) => {
  const loggedIn = await logIn(body, client, services);
  const { outcome, userId } = loggedIn;
  const log = { outcome, userId };
  return loggedIn.outcome === 'succeeded'
    ? { status: 200, body: { auth_token: services.tokens.issue(loggedIn.userId, loggedIn.exp) }, log }
    : { status: 401, body: { message: 'Invalid credentials' }, log };
};
