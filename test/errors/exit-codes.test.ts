import { readFile } from 'node:fs/promises';
import t from 'tap';
import { run } from '../support/executable.js';

t.test('the operating guide has the exit codes that --help lists', async (t) => {
  const { code, stdout } = await run(['--help'], { cwd: t.testdir() });
  t.equal(code, 0);
  const [, help = ''] = stdout.split('\nExit codes:\n');
  const listed = [...help.matchAll(/^ +(\d+) {2}\S/gm)].map(([, number]) => Number(number));
  t.ok(listed.length > 5);
  const guide = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8');
  const [, section = ''] = guide.split('\n## Exit codes\n');
  const [table = ''] = section.split('\n## ');
  const documented = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => Number(number));
  t.same(documented, [0, ...listed]);
});
