import type { Handler } from '../../contract/handler.js';
import { HttpError } from '../../errors/http-error.js';
import type { Sessions } from '../../sessions/sessions.js';

export const refreshSession: Handler<'refreshSession', { sessions: Sessions }> = async ({ body }, { sessions }) => {
  if (!sessions.isRenewable) throw new HttpError(404);
  const { outcome: renewal, userId, grant } = await sessions.renew(body.refresh_token);
  if (!grant) throw new HttpError(401, '', { log: { renewal, userId } });
  return { status: 200, body: grant, log: { renewal, userId } };
};
