import type { StoredDigest } from '#built/database/users.js';

/** A digest whose origin did not say whether it is peppered. */
export function storedDigest(passwordDigest: string): StoredDigest {
  return { passwordDigest, peppered: null, pepper: null };
}
