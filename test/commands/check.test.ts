import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import t from 'tap';
import { contentOf } from '../support/content-of.js';
import { run, start, stop } from '../support/executable.js';
import { createDatabase, execute, SECRET } from '../support/service.js';

const check = (cwd: string, env: NodeJS.ProcessEnv = {}) => run(['serve', '--check'], { cwd, env });

t.test('a new SQLite database', async (t) => {
  const cwd = t.testdir();
  const { code, stdout, stderr } = await check(cwd, { JWT_SECRET: SECRET, TOKEN_TTL_SECONDS: '60' });
  t.same({ code, stderr }, { code: 0, stderr: '' });
  t.match(stdout, /^setting: TOKEN_TTL_SECONDS=60$/m);
  t.match(stdout, /^setting: JWT_SECRET=set$/m);
  t.match(stdout, `database: file:${cwd}/data/sessions.db, missing: serve creates it\n`);
  t.same(contentOf(cwd), new Map(), 'nothing is created');
});

t.test('a database that is there', async (t) => {
  const cwd = t.testdir();
  await run(['users', 'add', 'foo@bar.com'], { cwd, input: 'correct horse\n' });
  const service = await start(t, { cwd });
  t.match(await check(cwd), { code: 0, stderr: '' }, 'while the service runs');
  await stop(t, service);
  const before = contentOf(cwd);
  t.match(await check(cwd), { code: 0, stdout: /, up to date\ntokens: signed with the secret beside the database\n$/ });
  t.same(contentOf(cwd), before, 'nothing has changed');
  await rm(`${cwd}/data/sessions.db.jwt-secret`);
  t.match(await check(cwd), { code: 78, stderr: /sessions\.db\.jwt-secret is missing, and users have tokens/ });
  await rm(`${cwd}/data/sessions.db`);
  t.match(await check(cwd), { code: 75, stderr: /is missing, and a database was there/ });
});

t.test('a damaged database', async (t) => {
  const cwd = t.testdir();
  await run(['migrate'], { cwd });
  await truncate(`${cwd}/data/sessions.db`, 8_192);
  const stderr = /sessions\.db is damaged, restore a backup: database disk image is malformed\n$/;
  t.match(await check(cwd), { code: 78, stderr });
  t.match(await run(['serve'], { cwd }), { code: 78, stderr }, 'the supervisor does not start it again');
});

t.test('settings, strictly', async (t) => {
  const cwd = t.testdir();
  const env = { JWT_SECRET: SECRET, JWT_SECERT: SECRET };
  t.match(await check(cwd, env), { code: 78, stderr: /JWT_SECERT is not a variable/ });
  t.match(await check(cwd, { JWT_SECRET: SECRET, JWT_KEYS_FILE: 'nowhere' }), { code: 78, stderr: /JWT_KEYS_FILE/ });
});

t.test('a file that is not a database', async (t) => {
  const cwd = t.testdir({ text: 'root:x:0:0:root:/root:/bin/bash\n' });
  const before = contentOf(cwd);
  t.match(await check(cwd, { DATABASE_URL: 'file:text' }), { code: 78, stderr: /text is not an SQLite database/ });
  await mkdir(`${cwd}/directory`);
  t.match(await check(cwd, { DATABASE_URL: 'file:directory' }), { code: 78, stderr: /is not an SQLite database/ });
  await rm(`${cwd}/directory`, { recursive: true });
  t.same(contentOf(cwd), before);
  await writeFile(`${cwd}/empty`, '');
  t.match(await check(cwd, { DATABASE_URL: 'file:empty' }), { code: 0, stdout: /serve applies / });
});

t.test('PostgreSQL', async (t) => {
  const cwd = t.testdir();
  const env = { DATABASE_URL: await createDatabase(t, 'postgresql'), JWT_SECRET: SECRET };
  t.match(await check(cwd, env), { code: 0, stdout: /serve applies \d{14}_create_users/ });
  t.match(await check(cwd, env), { code: 0, stdout: /serve applies \d{14}_create_users/ }, 'nothing was applied');
  await run(['migrate'], { cwd, env });
  const { stdout } = await check(cwd, env);
  t.match(stdout, /, up to date\ntokens: signed with JWT_SECRET\n$/);
  t.notMatch(stdout, new URL(env.DATABASE_URL).password);
  const name = new URL(env.DATABASE_URL).pathname.slice(1);
  const url = { provider: 'postgresql', href: env.DATABASE_URL } as const;
  await execute(url, `ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  t.match(await check(cwd, env), { code: 69, stderr: /it is read-only/ });
});
