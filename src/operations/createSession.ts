import type { Handler } from '../operation.js';

/** Logs a user in. One answer, at one cost, for an unknown email, a wrong password and a disabled user. */
export const createSession: Handler<'createSession'> = async (
  { body },
  { database, passwords, passwordUpgrades, issueToken },
) => {
  const user = await database.users.findByEmail(body.email);
  const matches = await passwords.verify(body.password, user?.passwordDigest);
  if (!user || !matches || user.disabledAt) return { status: 401, body: { message: 'Invalid credentials' } };
  passwordUpgrades.add(user, body.password);
  return { status: 200, body: { auth_token: issueToken(user.id) } };
};
