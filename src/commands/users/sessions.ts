import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { type Output, printable, printJson, printTable } from '../print.js';
import { print } from '../standard-output.js';
import { audit } from './audit.js';
import { findUser, readPages, withUsers } from './open-users.js';
import { nameOf, reportChange } from './print.js';

const MAX_LISTED = 1_000;

/** Prints the active sessions of a user, the newest first, at most 1,000. */
export async function listSessions(env: NodeJS.ProcessEnv, key: string, { json }: Output): Promise<void> {
  await withUsers(env, async ({ users, sessions }) => {
    const { id: userId } = await findUser(users, key);
    const rows = (await sessions.list(userId, { now: Date.now(), limit: MAX_LISTED })).map((session) => ({
      id: session.id,
      created_at: new Date(session.createdAt).toISOString(),
      last_used_at: new Date(session.lastUsedAt).toISOString(),
      expires_at: new Date(session.expiresAt).toISOString(),
      address: session.address,
      user_agent: session.userAgent ?? null,
    }));
    if (json) return await printJson({ sessions: rows });
    await printTable([
      ['id', 'created_at', 'last_used_at', 'expires_at', 'address', 'user_agent'],
      ...rows.map((row) => Object.values(row).map((value) => printable(value ?? ''))),
    ]);
  });
}

/** Ends the sessions of a user, one of them, or those of all users. */
export async function revokeSessions(
  env: NodeJS.ProcessEnv,
  key: string | undefined,
  sid: string | undefined,
  { all, ...output }: Output & { all?: true },
): Promise<void> {
  if ((key === undefined) === (all === undefined)) throw new ExpectedError('name a user, or pass --all', EXIT.USAGE);
  await withUsers(env, async ({ users, sessions, passwords }) => {
    if (key === undefined) {
      let ended = 0;
      try {
        for await (const page of readPages(users)) {
          const [first, last] = [page.at(0), page.at(-1)];
          if (first && last) ended += await sessions.endAllBetween(first.id, last.id);
        }
      } finally {
        if (ended > 0) audit('sessions_ended', { users: ended });
      }
      if (output.json) return await printJson({ users: ended });
      return void (await print(`ended the sessions of all users: ${ended}\n`));
    }
    const user = await findUser(users, key);
    if (sid === undefined) await sessions.endAll(user.id);
    else if (!(await sessions.end(user.id, sid)))
      throw new ExpectedError(`${nameOf(user)} has no session ${printable(sid)}`, EXIT.DATAERR);
    const what = sid === undefined ? 'all sessions' : `session ${printable(sid)}`;
    const event = sid === undefined ? 'sessions_ended' : 'session_ended';
    await reportChange(event, user, { ...output, passwords, text: `ended ${what} of ${nameOf(user)}` });
  });
}
