import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createDatabase } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

const CHOSEN = 200;

for (const provider of PROVIDERS) {
  t.test(`an id that is drawn after many chosen ones takes a few queries on ${provider}`, async (t) => {
    const { databaseUrl } = readConfig({ DATABASE_URL: await createDatabase(t, provider) }, { issuesTokens: false });
    await migrate(databaseUrl);
    let queries = 0;
    const observe = <T>(_query: unknown, run: () => Promise<T>) => {
      queries += 1;
      return run();
    };
    const { users, close } = await openDatabase(databaseUrl, { observe });
    t.teardown(close);

    const digest = storedDigest('digest');
    for (let id = 1; id <= CHOSEN; id += 1) await users.add(`${id}@x`, digest, { id });
    queries = 0;
    const ids = [];
    for (const email of ['a@x', 'b@x']) ids.push((await users.add(email, digest)).id);
    t.same(ids, [CHOSEN + 1, CHOSEN + 2]);
    t.ok(queries <= 5, `${queries} queries`);
  });
}
