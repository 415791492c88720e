import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { run, start, stop } from '../support/executable.js';
import { createDatabase, SECRET } from '../support/service.js';

const HOUR = 3_600_000;

for (const provider of PROVIDERS) {
  t.test(`the clock of ${provider}`, async (t) => {
    const { databaseUrl } = readConfig({ DATABASE_URL: await createDatabase(t, provider) }, { issuesTokens: false });
    await migrate(databaseUrl);
    const warningAt = async (offset: number) => {
      const database = await openDatabase(databaseUrl);
      return database.clockWarning(() => Date.now() + offset).finally(() => database.close());
    };
    t.equal(await warningAt(0), undefined);
    const [behind, ahead] = [await warningAt(HOUR), await warningAt(-HOUR)];
    if (provider === 'sqlite') return t.same([behind, ahead], [undefined, undefined], 'is that of the host');
    t.match(behind, /^the database's clock is 3,\d{3} s behind this host's/);
    t.match(ahead, /^the database's clock is 3,\d{3} s ahead of this host's/);
  });
}

t.test('serve warns, and so does its check', async (t) => {
  const DATABASE_URL = await createDatabase(t, 'postgresql');
  const NODE_OPTIONS = `--import=data:text/javascript,{const{now}=Date;Date.now=()=>now()+${HOUR}}`;
  const env = { DATABASE_URL, JWT_SECRET: SECRET, NODE_OPTIONS };
  const cwd = t.testdir();
  const service = await start(t, { cwd, env });
  await service.written('s clock is 3,');
  await stop(t, service);
  t.match(await run(['serve', '--check'], { cwd, env }), {
    code: 0,
    stderr: /^warning: the database's clock is 3,\d{3} s behind/,
  });
});
