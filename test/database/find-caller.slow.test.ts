import { randomUUID } from 'node:crypto';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { updateUser } from '#built/users/update-user.js';
import { createDatabase, execute, query } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

/** What may be found of a user, by turns. */
const KINDS = ['good', 'disabled', 'deleted', 'ended', 'all ended', 'of another user', 'no sid', 'imported'] as const;
const GOOD = ['good', 'imported'];

for (const provider of PROVIDERS) {
  t.test(`tokens that are asked about at once share queries, and not their answers, on ${provider}`, async (t) => {
    const { databaseUrl } = readConfig({ DATABASE_URL: await createDatabase(t, provider) }, { issuesTokens: false });
    await migrate(databaseUrl);
    const queries: string[] = [];
    const database = await openDatabase(databaseUrl, {
      observe: ({ operation, table }, run) => {
        queries.push(`${operation} ${table}`);
        return run();
      },
    });
    t.teardown(() => database.close());

    const tokens = [];
    for (let index = 0; index < 40; index += 1) {
      const userId = (await database.users.add(`${index}@x`, storedDigest('digest'))).id;
      const [[epoch]] = (await query(databaseUrl, `SELECT sessions_epoch FROM users WHERE id = ${userId}`)) as [
        [string],
      ];
      const kind = KINDS[index % KINDS.length] ?? 'good';
      const id = randomUUID();
      const times = { createdAt: 1, lastUsedAt: 1, expiresAt: 1 };
      const owner = kind === 'of another user' ? userId - 1 : userId;
      await database.sessions.add({
        id,
        userId: owner,
        epoch,
        ...times,
        address: '192.0.2.1',
        userAgent: undefined,
        rotation: undefined,
      });
      if (kind === 'disabled') await updateUser(database.users, userId, { disabled: true });
      if (kind === 'deleted') await database.users.delete(userId);
      if (kind === 'ended') await database.sessions.end(userId, id);
      if (kind === 'all ended') await database.sessions.endAll(userId);
      if (kind === 'imported') await execute(databaseUrl, `UPDATE users SET sessions_epoch = '' WHERE id = ${userId}`);
      const sid = kind === 'no sid' || kind === 'imported' ? undefined : id;
      tokens.push({ kind, token: { userId, sid } });
    }

    queries.length = 0;
    const found = await Promise.all(tokens.map(({ token }) => database.findCaller(token)));
    t.same(queries, ['SELECT users', 'SELECT users', 'SELECT users'], 'forty tokens in three queries');
    for (const [index, { kind, token }] of tokens.entries()) {
      const user = kind === 'deleted' ? undefined : { disabled: kind === 'disabled' };
      t.same(found[index], { user, isSessionGood: GOOD.includes(kind) }, kind);
      t.same(await database.findCaller(token), found[index], 'the same as alone');
    }
  });
}
