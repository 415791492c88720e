import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/database-url.js';
import { migrate } from '#built/database/migrate.js';
import { readModels, schemaDiff } from '../../scripts/schema-diff.js';
import { createDatabase } from '../support/service.js';

async function scratchDatabase(t: Test, provider: Provider) {
  const url = await createDatabase(t, provider);
  return provider === 'sqlite'
    ? new PrismaBetterSqlite3({ url: url.slice('file:'.length) })
    : new PrismaPg({ connectionString: url });
}

for (const provider of PROVIDERS) {
  t.test(`the migrations of ${provider} make what the models say`, async (t) => {
    t.equal(await schemaDiff(provider, await scratchDatabase(t, provider), await readModels()), '');
  });

  t.test(`the check tells a drift on ${provider}`, async (t) => {
    const models = (await readModels()).replace('@map("disabled_at")', '@map("disabled_on")');
    t.match(await schemaDiff(provider, await scratchDatabase(t, provider), models), /disabled_on/);
  });

  t.test(`are applied once on ${provider}`, async (t) => {
    const { databaseUrl } = readConfig({ DATABASE_URL: await createDatabase(t, provider) }, { issuesTokens: false });
    t.match(await migrate(databaseUrl), [/^\d{14}_create_users$/]);
    t.same(await migrate(databaseUrl), []);
  });
}
