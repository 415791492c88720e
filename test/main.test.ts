import { readFile } from 'node:fs/promises';
import t from 'tap';
import { run } from './support/executable.js';

t.test('--version is that of the package', async (t) => {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  for (const flag of ['--version', '-V']) {
    t.same(await run([flag], { cwd: t.testdir() }), { code: 0, stdout: `${version}\n`, stderr: '' });
  }
});

t.test('an unknown command', async (t) => {
  const cwd = t.testdir();
  for (const [args, stderr] of [
    [['sevre'], "error: unknown command 'sevre'\n(Did you mean serve?)\n"],
    [['users', 'lst'], "error: unknown command 'lst'\n(Did you mean list?)\n"],
    [['nonsense'], "error: unknown command 'nonsense'\n"],
    [['serve', 'now'], "error: too many arguments for 'serve'. Expected 0 arguments but got 1.\n"],
    [['--nonsense'], "error: unknown option '--nonsense'\n"],
  ] as const) {
    t.same(await run([...args], { cwd }), { code: 64, stdout: '', stderr }, args.join(' '));
  }
});
