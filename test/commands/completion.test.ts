import t from 'tap';
import { run } from '../support/executable.js';

/** What the script of a shell gets for a command line; an empty last word where a space has been typed. */
async function complete(cwd: string, ...words: string[]): Promise<string[]> {
  const { stdout } = await run(['complete', '--', ...words], { cwd });
  const lines = stdout.trimEnd().split('\n');
  // The last line tells the script what to do with them.
  return lines.slice(0, -1).map((line) => line.split('\t', 1)[0] ?? '');
}

t.test('what is declared is completed', async (t) => {
  const cwd = t.testdir();
  const { stdout: help } = await run(['users', '--help'], { cwd });
  const [, commands = ''] = help.split('Commands:\n');
  const declared = [...commands.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name);
  t.ok(declared.length > 10);
  t.same(await complete(cwd, 'users', ''), declared);
  t.same(await complete(cwd, 'us'), ['users']);
  t.same(await complete(cwd, 'users', 's'), ['set-email', 'show', 'set-password', 'sessions', 'stats']);
  t.same(await complete(cwd, 'users', 'list', '--e'), ['--email', '--enabled']);
  t.same(await complete(cwd, 'users', 'import', '--on-conflict', ''), ['reject', 'update']);
});

t.test('the file to import', async (t) => {
  const cwd = t.testdir({ 'users.csv': '', others: { 'users.jsonl': '' } });
  t.same((await complete(cwd, 'users', 'import', '')).sort(), ['others/', 'users.csv']);
  t.same(await complete(cwd, 'users', 'import', '--dry-run', 'u'), ['users.csv']);
  t.same(await complete(cwd, 'users', 'import', 'others/u'), ['others/users.jsonl']);
  t.same(await complete(cwd, 'users', 'show', ''), [], 'only there');
});

t.test('scripts', async (t) => {
  const cwd = t.testdir();
  for (const shell of ['bash', 'zsh', 'fish']) {
    t.match(
      await run(['completion', shell], { cwd }),
      { code: 0, stdout: 'sessions-api complete -- ', stderr: '' },
      shell,
    );
  }
  t.match(await run(['completion', 'tcsh'], { cwd }), { code: 64, stdout: '', stderr: /Allowed choices are/ });
});
