import { hmac, withSignature } from './forge.js';
import { SECRET } from './service.js';

/** A token as the Rails API issued it: without `sid`. It is good for an hour. */
export function tokenOf(userId: number): string {
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  return withSignature({ alg: 'HS256' }, { user_id: userId, exp }, hmac(SECRET));
}
