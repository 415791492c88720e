/** Requests that schemathesis makes of the served contract: what it allows is accepted, what it does not is refused. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { command } from '../test/support/command.js';
import { start } from '../test/support/executable.js';
import { UNTHROTTLED } from '../test/support/service.js';
import { installPythonTool, noPython } from './python-tool.js';

t.test('schemathesis finds nothing', { skip: noPython }, async (t) => {
  const cwd = t.testdir();
  const schemathesis = await installPythonTool(t, 'schemathesis');
  // No throttling, cheap hashes: only replies are tested.
  const env = { ...UNTHROTTLED, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
  const service = await start(t, { cwd, env }, ['demo']);
  const { code, output } = await command(
    cwd,
    schemathesis,
    '--no-color',
    '--config-file',
    fileURLToPath(new URL('../schemathesis.toml', import.meta.url)),
    'run',
    `${service.url}/openapi.json`,
  );
  t.equal(code, 0, 'nothing is found', { output });
  const [, cases = '0'] = output.match(/(\d+) generated/) ?? [];
  t.ok(Number(cases) >= 2_000, 'in 2,000 cases or more');
});
