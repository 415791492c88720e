import { verify as verifyArgon2 } from '@node-rs/argon2';
import { verify as verifyBcrypt } from '@node-rs/bcrypt';
import { verifyPassword } from 'better-auth/crypto';

/** For `emailAndPassword.password.verify`. */
export function verify({ hash, password }) {
  if (hash.startsWith('$argon2')) return verifyArgon2(hash, password);
  if (hash.startsWith('$2')) return verifyBcrypt(password, hash);
  return verifyPassword({ hash, password });
}
