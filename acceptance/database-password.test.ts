import { PrismaPg } from '@prisma/adapter-pg';
import t from 'tap';
import { createDatabaseRole } from '../test/support/database-role.js';
import { SECRET } from '../test/support/service.js';
import { CHEAP, getToken, keepLoggingIn, login, replaceFile, startWithUser } from '../test/support/steady-logins.js';

t.test('a new password of the database’s role under steady logins', async (t) => {
  const { admin, role, asAdmin, urlWith } = await createDatabaseRole(t);
  const cwd = t.testdir({ url: urlWith('old') });
  const env = { ...CHEAP, JWT_SECRET: SECRET, DATABASE_URL_FILE: 'url' };
  const service = await startWithUser(t, { cwd, env });

  const connection = await new PrismaPg({ connectionString: admin.href }).connect();
  t.teardown(() => connection.dispose());
  const query = async (sql: string) => (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
  const backends = async () => {
    const rows = await query(`SELECT pid FROM pg_stat_activity WHERE usename = '${role}'`);
    return rows.map(([pid]) => Number(pid));
  };

  await getToken(service.url);
  const old = await backends();
  t.ok(old.length > 0);
  await asAdmin(`ALTER ROLE ${role} PASSWORD 'new'`);
  // Until the signal no further connection can be opened, though these logins need some; those that are open go round.
  const logins = keepLoggingIn(service.url);
  await logins.more(16);
  await replaceFile(`${cwd}/url`, urlWith('new'));
  service.kill('SIGHUP');
  await service.written('re-read DATABASE_URL_FILE; changed: the URL of the database');
  await logins.more(40);
  while ((await backends()).some((pid) => old.includes(pid))) await logins.more(1);
  const { failed, tokens } = await logins.stop();
  t.same(failed, [], `none of ${tokens.length} logins failed`);
  t.notMatch(service.output(), 'does not answer');

  await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
  let reply = await login(service.url);
  // It may find out that a connection has been cut off.
  while (reply.status === 503) reply = await login(service.url);
  t.equal(reply.status, 200, 'further connections are opened with the new password');

  for (const [content, fault] of [
    [urlWith('guessed'), 'DATABASE_URL_FILE: the database at '],
    [`${urlWith('new')}?options=-cdefault_transaction_read_only%3Don`, 'it is read-only'],
    ['mysql://host/guessed', 'DATABASE_URL_FILE: the content must be'],
    [
      new URL('/guessed', urlWith('guessed')).href,
      'DATABASE_URL_FILE: only a restart takes the service to another database',
    ],
    ['file:guessed.db', 'DATABASE_URL_FILE: only a restart takes the service from postgresql to sqlite'],
  ] as const) {
    await replaceFile(`${cwd}/url`, content);
    service.kill('SIGHUP');
    await service.written(fault);
    t.equal((await login(service.url)).status, 200, fault);
  }
  t.notMatch(service.output(), /guessed|:old@|:new@/);
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
});
