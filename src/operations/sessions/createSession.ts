import type { Handler } from '../../contract/handler.js';
import { type LogInServices, logIn } from '../../users/log-in.js';

/** One reply for an unknown email, a wrong password and a disabled user; only the log tells them apart. */
export const createSession: Handler<'createSession', LogInServices> = async ({ body, client }, services) => {
  const { outcome, userId, grant } = await logIn(body, client, services);
  const log = { outcome, userId };
  return grant ? { status: 200, body: grant, log } : { status: 401, body: { message: 'Invalid credentials' }, log };
};
