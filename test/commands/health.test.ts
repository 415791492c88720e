import { writeFile } from 'node:fs/promises';
import t from 'tap';
import { run, start } from '../support/executable.js';
import { freePort } from '../support/temporary-postgresql.js';

t.test('asks the service that has the same environment, whatever has become of its files', async (t) => {
  const cwd = t.testdir();
  // Nobody else gets it meanwhile.
  const PORT = String(await freePort());
  const service = await start(t, { cwd, env: { PORT } });
  const env = { PORT, JWT_KEYS_FILE: 'keys.json' };
  await writeFile(`${cwd}/keys.json`, '{');
  t.same(await run(['health'], { cwd, env }), { code: 0, stdout: '', stderr: '' });
  service.kill('SIGTERM');
  await service.exited;
  t.match(await run(['health'], { cwd, env }), { code: 1, stderr: /GET \/livez/ });
});
