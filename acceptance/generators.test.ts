import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';
import type { Credentials, Outcome } from '../clients/generators/login.js';
import { command } from '../test/support/command.js';
import { start } from '../test/support/executable.js';
import { send } from '../test/support/send.js';

const CLIENTS = fileURLToPath(new URL('../clients/generators/', import.meta.url));
const GENERATORS = ['hey-api', 'openapi-fetch', 'orval', 'swagger-typescript-api'];

t.test('clients that other generators make of openapi.yaml', async (t) => {
  const service = await start(t, { cwd: t.testdir() }, ['demo']);
  await Promise.all(['generated', 'dist'].map((name) => rm(`${CLIENTS}${name}`, { recursive: true, force: true })));
  await mkdir(`${CLIENTS}generated`);
  await writeFile(`${CLIENTS}generated/openapi.yaml`, (await send(service.url, { path: '/openapi.yaml' })).body);

  for (const generator of GENERATORS) {
    t.test(generator, async (t) => {
      const generated = await command(CLIENTS, 'npm', 'run', `generate:${generator}`);
      t.equal(generated.code, 0, generated.output);
      const compiled = await command(CLIENTS, 'npm', 'run', 'build', '--', `${generator}.ts`);
      t.equal(compiled.code, 0, compiled.output);

      const { login }: { login(url: string, credentials: Credentials): Promise<Outcome> } = await import(
        pathToFileURL(`${CLIENTS}dist/${generator}.js`).href
      );
      const right = await login(service.url, { email: 'foo@bar.com', password: 'foobar' });
      t.match(right, { token: /^[\w-]+\.[\w-]+\.[\w-]+$/ });
      const wrong = await login(service.url, { email: 'foo@bar.com', password: 'p&=+% ä🔑' });
      t.same(wrong, { message: 'Invalid credentials' });
      const malformed = await login(service.url, { email: 'foobar.com', password: '' });
      t.match(malformed, { message: /./, fields: ['email', 'password'] });
    });
  }
});
