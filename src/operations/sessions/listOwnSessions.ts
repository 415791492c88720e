import type { Handler } from '../../contract/handler.js';
import { listedSession } from '../../sessions/listed-session.js';
import type { Sessions } from '../../sessions/sessions.js';

export const listOwnSessions: Handler<'listOwnSessions', { sessions: Pick<Sessions, 'list'> }> = async (
  { caller },
  { sessions },
) => ({
  status: 200,
  body: { sessions: (await sessions.list(caller.userId)).map((session) => listedSession(session, caller.sid)) },
});
