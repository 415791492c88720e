import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = ['src', 'scripts', 'prisma', 'openapi.yaml', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

/** Builds a copy of the sources, changed, and returns what the build says. */
async function build(t: Test, change: (directory: string) => Promise<void>): Promise<{ code: number; output: string }> {
  const directory = t.testdir();
  // Without the packages that some scripts have installed for themselves.
  const filter = (source: string) => basename(source) !== 'node_modules';
  for (const name of SOURCES) await cp(`${root}${name}`, `${directory}/${name}`, { recursive: true, filter });
  await symlink(`${root}node_modules`, `${directory}/node_modules`);
  await change(directory);
  const child = spawn('npm', ['run', 'build'], { cwd: directory });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, output: stdout + stderr };
}

async function replace(file: string, from: string, to: string): Promise<void> {
  const source = await readFile(file, 'utf8');
  if (!source.includes(from)) throw new Error(`${file} has no ${from}`);
  await writeFile(file, source.replace(from, to));
}

t.test('operations and handlers that do not match fail the build, by name', async (t) => {
  const { code, output } = await build(t, async (directory) => {
    await rm(`${directory}/src/operations/probes/getLiveness.ts`);
    await writeFile(`${directory}/src/operations/getNothing.ts`, '');
  });
  t.equal(code, 1);
  t.match(output, 'operation getLiveness has no handler: getLiveness.ts is missing below src/operations/');
  t.match(output, 'src/operations/getNothing.ts handles no operation: openapi.yaml has no operationId getNothing');
});

t.test('a handler that the contract does not allow fails the build', async (t) => {
  const { code, output } = await build(t, async (directory) => {
    const operations = `${directory}/src/operations`;
    await replace(`${operations}/sessions/createSession.ts`, 'body: grant', 'body: { token: outcome }');
    await replace(`${operations}/probes/getLiveness.ts`, 'status: 200', 'status: 201');
    const unavailable = `        "503":\n          $ref: "#/components/responses/ServiceUnavailable"\n\n  /openapi.yaml:`;
    await replace(`${directory}/openapi.yaml`, unavailable, '\n  /openapi.yaml:');
  });
  t.not(code, 0);
  t.match(
    output,
    /^src\/operations\/sessions\/createSession\.ts.*error TS\d+.*\n( .*\n)*.*'auth_token' is missing/m,
    'another field',
  );
  t.match(output, /^src\/operations\/probes\/getLiveness\.ts.*Type '201' is not assignable/m, 'an undeclared status');
  t.match(
    output,
    /^src\/generated\/handlers\.ts.*'Handler<"getReadiness", Services>' is not assignable.*\n( .*\n)*.*'database' is missing/m,
    'the database without a 503',
  );
});
