import t from 'tap';
import { createSessions } from '#built/database/sessions.js';
import { createDeadline } from '#built/errors/deadline.js';
import { Overloaded } from '#built/errors/overloaded.js';

const SESSION = { id: 'sid', userId: 1, epoch: '', createdAt: 1, lastUsedAt: 1, expiresAt: 1, address: '192.0.2.1' };

t.test('a session is not stored after its deadline', async (t) => {
  let inserted = 0;
  const runQuery = () => {
    inserted += 1;
    return Promise.reject(new Error('the database is gone'));
  };
  const sessions = createSessions(runQuery, () => new Overloaded());
  const session = { ...SESSION, userAgent: undefined, rotation: undefined };
  await t.rejects(sessions.add(session, createDeadline(0)), new Overloaded());
  // The next one would share the statement.
  await t.rejects(sessions.add(session), new Error('the database is gone'));
  t.equal(inserted, 1);
});
