import type { Handler } from '../contract/handler.js';
import type { Sessions } from '../sessions/sessions.js';

export const listOwnSessions: Handler<'listOwnSessions', { sessions: Pick<Sessions, 'list'> }> = async (
  { caller },
  { sessions },
) => ({
  status: 200,
  body: {
    sessions: (await sessions.list(caller.userId)).map(
      ({ id, createdAt, lastUsedAt, expiresAt, address, userAgent }) => ({
        id,
        current: id === caller.sid,
        created_at: new Date(createdAt).toISOString(),
        last_used_at: new Date(lastUsedAt).toISOString(),
        expires_at: new Date(expiresAt).toISOString(),
        address,
        ...(userAgent !== undefined && { user_agent: userAgent }),
      }),
    ),
  },
});
