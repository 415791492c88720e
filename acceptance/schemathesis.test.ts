/** Requests that schemathesis makes of the served contract: what it allows is accepted, what it does not is refused. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { command } from '../test/support/command.js';
import { start } from '../test/support/executable.js';
import { UNTHROTTLED } from '../test/support/service.js';

const fileAt = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const VENV = fileAt('../node_modules/.cache/schemathesis');
const noPython = spawnSync('python3', ['--version']).error !== undefined && 'not run here: no python3';

t.test('schemathesis finds nothing', { skip: noPython }, async (t) => {
  const cwd = t.testdir();
  const requirements = fileAt('schemathesis.requirements.txt');
  for (const [file, ...args] of [
    ['python3', '-m', 'venv', VENV],
    [`${VENV}/bin/pip`, 'install', '--quiet', '--requirement', requirements],
  ] as const) {
    t.match(await command(cwd, file, ...args), { code: 0 }, `${file} ${args[0]}`);
  }
  // No throttling, cheap hashes: only replies are tested.
  const env = { ...UNTHROTTLED, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
  const service = await start(t, { cwd, env }, ['demo']);
  const { code, output } = await command(
    cwd,
    `${VENV}/bin/schemathesis`,
    '--no-color',
    '--config-file',
    fileAt('../schemathesis.toml'),
    'run',
    `${service.url}/openapi.json`,
  );
  t.equal(code, 0, 'nothing is found', { output });
  const [, cases = '0'] = output.match(/(\d+) generated/) ?? [];
  t.ok(Number(cases) >= 2_000, 'in 2,000 cases or more');
});
