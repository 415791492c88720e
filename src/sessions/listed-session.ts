import type { SessionRow } from '../database/sessions.js';
import type { components } from '../generated/contract.js';

/**
 * A session as the contract shows it.
 *
 * @param current - the id of the caller's session, if a session calls
 */
export function listedSession(session: SessionRow, current?: string): components['schemas']['ListedSession'] {
  const { id, createdAt, lastUsedAt, expiresAt, address, userAgent } = session;
  return {
    id,
    current: id === current,
    created_at: new Date(createdAt).toISOString(),
    last_used_at: new Date(lastUsedAt).toISOString(),
    expires_at: new Date(expiresAt).toISOString(),
    address,
    ...(userAgent !== undefined && { user_agent: userAgent }),
  };
}
