import { userInfo } from 'node:os';
import t from 'tap';
import { run } from '../../support/executable.js';
import { execute } from '../../support/service.js';

const BCRYPT = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';
const BY = `command:${userInfo().username}`;

/** The lines of standard error that are a log's. */
const logged = (stderr: string): object[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));

t.test('a command that changes many users writes one line', async (t) => {
  const rows = ['a@b', 'c@d', 'e@f'].map((email) => `${email},${BCRYPT}\n`);
  const cwd = t.testdir({ 'users.csv': `email,password_digest\n${rows.join('')}` });
  const users = (...args: string[]) => run(['users', ...args], { cwd });

  await run(['migrate'], { cwd });
  t.same(logged((await users('import', '--dry-run', 'users.csv')).stderr), [], 'a dry run changes nothing');
  t.match(logged((await users('import', 'users.csv')).stderr), [{ event: 'users_imported', users: 3, by: BY }]);
  t.same(logged((await users('import', 'users.csv')).stderr), [], 'nor does a second run');

  const ended = await users('revoke-sessions', '--all');
  t.match(ended, { code: 0, stdout: 'ended the sessions of all users: 3\n' });
  t.match(logged(ended.stderr), [{ event: 'sessions_ended', users: 3, by: BY }]);
});

t.test('a user who was deleted meanwhile is not deleted again', async (t) => {
  const cwd = t.testdir();
  await run(['users', 'add', '--allow-weak', 'a@b'], { cwd, input: 'foobar' });
  const database = { provider: 'sqlite', file: `${cwd}/data/sessions.db` } as const;
  // The row is found, and no row is deleted.
  await execute(database, 'CREATE TRIGGER gone BEFORE DELETE ON users BEGIN SELECT RAISE(IGNORE); END');
  const { code, stdout, stderr } = await run(['users', 'delete', '1', '--yes'], { cwd });
  t.match({ code, stdout }, { code: 67, stdout: '' });
  t.same(logged(stderr), []);
});
