import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { FORM, type Reply } from '../support/send.js';
import { createDatabase, execute, type Service, startService } from '../support/service.js';
import { startTemporaryPostgresql } from '../support/temporary-postgresql.js';

/** Asks until the service is not ready: the answer to a ping is used again for a while. */
async function untilUnready({ request }: Service): Promise<Reply> {
  for (;;) {
    const reply = await request({ path: '/readyz' });
    if (reply.status !== 200) return reply;
    await wait(20);
  }
}

for (const provider of PROVIDERS) {
  t.test(`when a table is gone on ${provider}`, async (t) => {
    const DATABASE_URL = await createDatabase(t, provider);
    const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
    const service = await startService(t, provider, { databaseUrl: DATABASE_URL });
    for (const table of ['users', 'throttle_counters']) {
      t.equal((await service.request({ path: '/readyz' })).status, 200);
      await execute(databaseUrl, `ALTER TABLE ${table} RENAME TO moved`);
      t.equal((await untilUnready(service)).status, 503, table);
      await execute(databaseUrl, `ALTER TABLE moved RENAME TO ${table}`);
      t.equal((await service.request({ path: '/readyz' })).status, 200, 'and is back');
    }
  });
}

t.test('when the database is gone', async (t) => {
  const postgresql = await startTemporaryPostgresql();
  const service = await startService(t, 'postgresql', { databaseUrl: postgresql.url });
  t.equal((await service.request({ path: '/readyz' })).status, 200);
  await postgresql.stop();

  const unready = await untilUnready(service);
  t.equal(unready.status, 503);
  t.equal(unready.body, '{"message":"Service unavailable","code":"service_unavailable"}');
  t.equal(unready.headers['retry-after'], '1');

  const body = 'email=foo%40bar.com&password=foobar';
  const login = await service.request({ method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
  t.equal(login.status, 503);
  t.equal(login.headers['retry-after'], '1');

  t.equal((await service.request({ path: '/livez' })).status, 200, 'the process still answers');
});
