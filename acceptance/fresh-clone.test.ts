/**
 * What a newcomer runs first, in a fresh clone with the packages that this one has installed: a script builds what it needs. The
 * others begin in the same ways.
 */
import { chmod, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { command } from '../test/support/command.js';

const repository = fileURLToPath(new URL('../', import.meta.url));
// Not inside the repository, where Node.js would find the packages of the repository.
const clone = await mkdtemp(`${tmpdir()}/sessions-api-clone-`);
t.teardown(() => rm(clone, { recursive: true }));
// Where root runs this, PostgreSQL runs as another user, who has to reach its files.
await chmod(clone, 0o755);

// Without what npm tells its children: its own options, and where the repository's tools are.
const PATH = process.env.PATH?.split(':').filter((directory) => !directory.includes('node_modules'));
const env = { PATH: PATH?.join(':'), HOME: process.env.HOME };

async function run(directory: string, file: string, ...args: string[]): Promise<string> {
  const { code, output } = await command({ cwd: `${clone}/${directory}`, env }, file, ...args);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: ${code}\n${output}`);
  return output;
}

await run('', 'git', 'clone', '--quiet', repository, '.');
await symlink(`${repository}node_modules`, `${clone}/node_modules`);
// What one script has built must not help the next one.
t.beforeEach(async () => void (await run('', 'git', 'clean', '-dxfq', '--exclude=node_modules')));

t.test('the packed client', async (t) => {
  const packed = await run('clients/typescript', 'npm', 'pack', '--silent');
  const files = await run('clients/typescript', 'tar', '-tf', packed.trim());
  for (const file of ['index.js', 'index.d.ts']) t.match(files, new RegExp(`^package/dist/${file}$`, 'm'));
});

for (const script of ['migration -- nothing', 'tap -- test/operations/getLiveness.test.ts']) {
  t.test(script, async () => {
    await run('', 'npm', 'run', ...script.split(' '));
  });
}
