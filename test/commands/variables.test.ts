import { readFile } from 'node:fs/promises';
import t from 'tap';
import { VARIABLES } from '#built/commands/variables.js';
import { run } from '../support/executable.js';

t.test('the help of serve names the variables that docs/configuration.md describes', async (t) => {
  const text = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const [table = ''] = text.split('\n## ');
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const described = rows.flatMap((row) =>
    [...(row.split(' | ')[0]?.matchAll(/`([^`]+)`/g) ?? [])].map(([, name]) => name),
  );
  t.same([...VARIABLES.serve].sort(), described.sort());
});

t.test('each help names the variables that the command reads', async (t) => {
  const cwd = t.testdir();
  for (const [args, names] of [
    [['serve'], VARIABLES.serve],
    [['migrate'], VARIABLES.migrate],
    [['health'], VARIABLES.health],
    [['users', 'add'], VARIABLES.users],
    [['users', 'import'], VARIABLES.users],
    [['keys', 'add'], VARIABLES.keys],
  ] as const) {
    const { code, stdout } = await run([...args, '--help'], { cwd });
    t.equal(code, 0);
    for (const name of names) t.match(stdout, new RegExp(`\\s${name}\\s`), `${args.join(' ')}: ${name}`);
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
