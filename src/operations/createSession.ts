import type { Handler } from '../contract/handler.js';

/**
 * Logs a user in. One answer, at one cost, for an unknown email, a wrong password and a disabled user; only the log tells
 * them apart.
 */
export const createSession: Handler<'createSession'> = async (
  { body, client },
  { database, throttle, admission, passwords, passwordUpgrades, issueToken },
) => {
  const attempt = throttle.open(body.email, client.address);
  try {
    const { user, digest } = await attempt.admit((keys, now) => database.findForLogin(body.email, keys, now));
    const matches = await admission.run(() => passwords.verify(body.password, digest), client);
    if (!user || !matches || user.disabled) {
      await attempt.fail();
      const outcome = !user ? 'unknown_email' : matches ? 'disabled' : 'wrong_password';
      return { status: 401, body: { message: 'Invalid credentials' }, log: { outcome, userId: user?.id } };
    }
    await attempt.succeed();
    passwordUpgrades.add(user, body.password);
    return { status: 200, body: { auth_token: issueToken(user.id) }, log: { outcome: 'succeeded', userId: user.id } };
  } finally {
    attempt.close();
  }
};
