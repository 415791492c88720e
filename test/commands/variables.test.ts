import t from 'tap';
import { variablesOf } from '#built/config/variables.js';
import { run } from '../support/executable.js';

t.test('each help names the variables that the command reads', async (t) => {
  const cwd = t.testdir();
  for (const [args, reader] of [
    [['serve'], 'serve'],
    [['migrate'], 'migrate'],
    [['health'], 'health'],
    [['users', 'add'], 'users'],
    [['users', 'import'], 'users'],
    [['keys', 'add'], 'keys'],
  ] as const) {
    const { code, stdout } = await run([...args, '--help'], { cwd });
    t.equal(code, 0);
    for (const { name } of variablesOf(reader))
      t.match(stdout, new RegExp(`\\s${name}\\s`), `${args.join(' ')}: ${name}`);
  }
});

t.test('an error under --json is JSON with a code', async (t) => {
  const cwd = t.testdir();
  await run(['migrate'], { cwd });
  for (const [args, env, code, exit_code] of [
    [['users', 'show', '7', '--json'], {}, 'user_not_found', 67],
    [['users', 'show', '7', '--json'], { PORT: 'x' }, 'config', 78],
    [['users', 'import', 'nowhere', '--json'], {}, 'noinput', 66],
    [['users', 'lst', '--json'], {}, 'usage', 64],
    [['users', 'list', '--limit', '0', '--json'], {}, 'usage', 64],
  ] as const) {
    const { stdout, stderr, code: exitCode } = await run([...args], { cwd, env });
    t.equal(stdout, '');
    t.equal(exitCode, exit_code);
    t.match(JSON.parse(stderr), { message: /\w/, code, exit_code }, args.join(' '));
  }
});
