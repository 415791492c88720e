import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { disable } from '#built/users/change.js';
import { createDatabase } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

const FUTURE = Math.floor(Date.now() / 1000) + 3_600;
/** What may be found of a user, by turns. */
const KINDS = ['good', 'disabled', 'deleted', 'revoked', 'ended'] as const;

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
      const userId = (await database.users.add(`${index}@x`, storedDigest('digest'))) ?? 0;
      const token = { userId, exp: FUTURE + index, jti: index % 2 ? `jti ${index}` : undefined };
      const kind = KINDS[index % KINDS.length] ?? 'good';
      if (kind === 'disabled') await disable(database.users, { id: userId, disabledAt: null });
      if (kind === 'deleted') await database.users.delete(userId);
      if (kind === 'revoked') await database.revocations.revoke(token);
      if (kind === 'ended') await database.revocations.endSessions(userId);
      tokens.push({ kind, token });
    }

    queries.length = 0;
    const found = await Promise.all(tokens.map(({ token }) => database.findCaller(token)));
    t.same(queries, ['SELECT users', 'SELECT users', 'SELECT users'], 'forty tokens in three queries');
    for (const [index, { kind, token }] of tokens.entries()) {
      const { user, isRevoked, watermark } = found[index] ?? {};
      t.same(
        { user, isRevoked, ended: (watermark ?? 0) > 0 },
        {
          user: kind === 'deleted' ? undefined : { disabled: kind === 'disabled' },
          isRevoked: kind === 'revoked',
          ended: ['disabled', 'deleted', 'ended'].includes(kind),
        },
        kind,
      );
      t.same(await database.findCaller(token), found[index], 'the same as alone');
    }
  });
}
