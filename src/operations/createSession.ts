import type { Handler } from '../operation.js';

/**
 * Logs a user in. One answer, at one cost, for an unknown email, a wrong password and a disabled user; only the log tells
 * them apart.
 */
export const createSession: Handler<'createSession'> = async (
  { body, client },
  { database, throttle, admission, passwords, issueToken },
) => {
  const attempt = throttle.open(body.email, client.address);
  try {
    const [user] = await Promise.all([database.users.findByEmail(body.email), attempt.admit()]);
    const matches = await admission.run(() => passwords.verify(body.password, user?.passwordDigest), client.signal);
    if (!user || !matches || user.disabled) {
      await attempt.fail();
      const outcome = !user ? 'unknown_email' : matches ? 'disabled' : 'wrong_password';
      return { status: 401, body: { message: 'Invalid credentials' }, log: { outcome, userId: user?.id } };
    }
    await attempt.succeed();
    return { status: 200, body: { auth_token: issueToken(user.id) }, log: { outcome: 'succeeded', userId: user.id } };
  } finally {
    attempt.close();
  }
};
