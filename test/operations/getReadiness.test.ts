import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { FORM } from '../support/send.js';
import { createDatabase, execute, startService } from '../support/service.js';
import { startTemporaryPostgresql } from '../support/temporary-postgresql.js';

/** Milliseconds for which the answer to a ping may be used again. */
const ANSWERS_AGAIN_FOR = 600;

for (const provider of PROVIDERS) {
  t.test(`when the database answers on ${provider}`, async (t) => {
    const service = await startService(t, provider);
    const reply = await service.request({ path: '/readyz' });
    t.equal(reply.status, 200);
    t.equal(reply.body, '{"status":"ok"}');
    t.equal((await service.request({ method: 'HEAD', path: '/readyz' })).status, 200);
    t.equal((await service.request({ method: 'DELETE', path: '/readyz' })).headers.allow, 'GET, HEAD');
  });
}

for (const provider of PROVIDERS) {
  for (const table of ['users', 'throttle_counters']) {
    t.test(`when ${table} is gone on ${provider}`, async (t) => {
      const DATABASE_URL = await createDatabase(t, provider);
      const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
      const service = await startService(t, provider, { databaseUrl: DATABASE_URL });
      t.equal((await service.request({ path: '/readyz' })).status, 200);
      await execute(databaseUrl, `ALTER TABLE ${table} RENAME TO moved`);
      await wait(ANSWERS_AGAIN_FOR);
      t.equal((await service.request({ path: '/readyz' })).status, 503);
      await execute(databaseUrl, `ALTER TABLE moved RENAME TO ${table}`);
      t.equal((await service.request({ path: '/readyz' })).status, 200, 'and is back');
    });
  }
}

t.test('when the database is gone', async (t) => {
  const postgresql = await startTemporaryPostgresql();
  const service = await startService(t, 'postgresql', { databaseUrl: postgresql.url });
  t.equal((await service.request({ path: '/readyz' })).status, 200);
  await postgresql.stop();

  const stopped = performance.now();
  let unready = await service.request({ path: '/readyz' });
  while (unready.status === 200 && performance.now() - stopped < 2_000) {
    unready = await service.request({ path: '/readyz' });
  }
  t.equal(unready.status, 503, 'within 2 s');
  t.equal(unready.body, '{"message":"Service unavailable"}');
  t.equal(unready.headers['retry-after'], '1');

  const body = 'email=foo%40bar.com&password=foobar';
  const login = await service.request({ method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
  t.equal(login.status, 503);
  t.equal(login.headers['retry-after'], '1');

  t.equal((await service.request({ path: '/livez' })).status, 200, 'the process still answers');
});
