import { readdirSync, readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import t from 'tap';
import { run } from '../../support/executable.js';
import { createDatabase, SECRET } from '../../support/service.js';

const COMMANDS = [['serve'], ['migrate'], ['users', 'add', 'foo@bar.com'], ['users', 'list']];
const quiet = { LOG_LEVEL: 'warn', JWT_SECRET: SECRET };

t.test('a file that is no SQLite database', async (t) => {
  const content = 'root:x:0:0:root:/root:/bin/bash\n';
  const cwd = t.testdir({ passwd: content });
  await chmod(`${cwd}/passwd`, 0o644);
  for (const args of COMMANDS) {
    const env = { ...quiet, DATABASE_URL: 'file:passwd' };
    const { code, stdout, stderr } = await run(args, { cwd, env, input: 'foobar\n' });
    t.same({ code, stdout }, { code: 78, stdout: '' }, args.join(' '));
    t.equal(stderr, `sessions-api: invalid configuration:\n  DATABASE_URL: ${cwd}/passwd is not an SQLite database\n`);
  }
  t.same(readdirSync(cwd), ['passwd'], 'nothing is left beside it');
  t.equal(readFileSync(`${cwd}/passwd`, 'utf8'), content);
});

t.test('an SQLite database of another program', async (t) => {
  const cwd = t.testdir();
  const other = new Sqlite(`${cwd}/other.db`);
  other.exec('CREATE TABLE notes (text)');
  other.close();
  await chmod(`${cwd}/other.db`, 0o644);
  const before = readFileSync(`${cwd}/other.db`);
  for (const args of COMMANDS) {
    const env = { ...quiet, DATABASE_URL: 'file:other.db' };
    const { code, stdout, stderr } = await run(args, { cwd, env, input: 'foobar\n' });
    t.same({ code, stdout }, { code: 78, stdout: '' }, args.join(' '));
    t.equal(stderr, 'sessions-api: the database has tables, but no migrations\n', 'no advice about its mode');
  }
  t.same(readdirSync(cwd), ['other.db']);
  t.same(readFileSync(`${cwd}/other.db`), before, 'it is not switched to WAL mode');
});

t.test('a directory that can’t be created', async (t) => {
  const cwd = t.testdir({ file: 'text' });
  for (const DATABASE_URL of ['file:/proc/sessions-api/a.db', 'file:file/a.db']) {
    const { code, stderr } = await run(['serve'], { cwd, env: { ...quiet, DATABASE_URL } });
    t.equal(code, 78, DATABASE_URL);
    t.match(stderr, /DATABASE_URL: user \d+ can’t write to \/.+\/a\.db: E\w+: /);
  }
});

t.test('what PostgreSQL refuses', async (t) => {
  const url = await createDatabase(t, 'postgresql');
  const withPassword = (password: string) => Object.assign(new URL(url), { password }).href;
  const wrong = {
    'refuses the password: password authentication failed': withPassword('pa55word'),
    'is missing: the server has no such database: database "nowhere" does not exist': url.replace(/\/\w+$/, '/nowhere'),
    'refuses a right to the role: permission denied for schema public': await urlWithoutRights(url),
  };
  for (const [message, DATABASE_URL] of Object.entries(wrong)) {
    for (const args of [['serve'], ['migrate'], ['users', 'list'], ['serve', '--check']]) {
      const { code, stderr } = await run(args, { cwd: t.testdir(), env: { ...quiet, DATABASE_URL } });
      t.equal(code, 77, args.join(' '));
      t.match(stderr, message);
      t.notMatch(stderr, /pa55word/);
    }
  }
});

/** Of a role that may connect, and nothing else. */
async function urlWithoutRights(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const name = `reader_${new URL(url).pathname.slice(1)}`;
  await client.query(`CREATE ROLE "${name}" LOGIN PASSWORD 'pa55word'`);
  await client.end();
  return Object.assign(new URL(url), { username: name, password: 'pa55word' }).href;
}
