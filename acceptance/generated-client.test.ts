/** Whether scripts/generate.ts, which calls Prisma's generator by itself, makes what `prisma generate` makes. */
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { command } from '../test/support/command.js';

const generated = fileURLToPath(new URL('../src/generated/', import.meta.url));
const CLI = fileURLToPath(new URL('prisma/node_modules/prisma/build/index.js', import.meta.url));
// `prisma generate` needs no schema engine, which the CLI would download.
const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true' };

/** The files below a directory, by path. */
async function filesIn(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => `${parentPath}/${name}`);
  const contents = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  return new Map(paths.map((path, index) => [path.slice(directory.length), contents[index] ?? '']));
}

for (const provider of PROVIDERS) {
  t.test(`the client for ${provider}`, async (t) => {
    const directory = await mkdtemp(`${tmpdir()}/generated-client-`);
    t.teardown(() => rm(directory, { recursive: true }));
    await cp(`${generated}${provider}.prisma`, `${directory}/${provider}.prisma`);
    const { code, output } = await command(
      { cwd: directory, env },
      process.execPath,
      CLI,
      'generate',
      '--schema',
      `${provider}.prisma`,
    );
    t.equal(code, 0, output);
    const [made, expected] = [await filesIn(`${generated}${provider}`), await filesIn(`${directory}/${provider}`)];
    t.ok(expected.size > 5);
    t.same([...made.keys()].sort(), [...expected.keys()].sort());
    for (const [path, text] of expected) t.equal(made.get(path), text, path);
  });
}
