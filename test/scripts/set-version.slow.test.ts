import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { command } from '../support/command.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MANIFEST = 'deploy/kubernetes/deployment.yaml';
const PACKAGES = ['.', 'clients/typescript'].flatMap((directory) => [
  `${directory}/package.json`,
  `${directory}/package-lock.json`,
]);

async function versionsIn(directory: string): Promise<string[]> {
  const read = (file: string) => readFile(`${directory}/${file}`, 'utf8');
  const packages = await Promise.all(
    PACKAGES.map(async (file): Promise<string> => JSON.parse(await read(file)).version),
  );
  const [container] = parse(await read(MANIFEST)).spec.template.spec.containers;
  return [parse(await read('openapi.yaml')).info.version, container.image.split(':')[1], ...packages];
}

t.test('the contract, the service, its client and the image in the manifest have one version', async (t) => {
  t.equal(new Set(await versionsIn(ROOT)).size, 1, (await versionsIn(ROOT)).join(', '));
});

t.test('a release sets it everywhere, and dates the changelog', async (t) => {
  const cwd = t.testdir();
  for (const directory of ['clients/typescript', 'deploy/kubernetes'])
    await mkdir(`${cwd}/${directory}`, { recursive: true });
  for (const file of [...PACKAGES, MANIFEST, 'openapi.yaml', 'CHANGELOG.md'])
    await copyFile(`${ROOT}${file}`, `${cwd}/${file}`);
  const release = (version: string) =>
    command(cwd, process.execPath, '--import=tsx', `${ROOT}scripts/set-version.ts`, '--release', version);

  t.match(await release('v9.8.7'), { code: 64, output: /X\.Y\.Z/ });
  t.same(await release('9.8.7'), { code: 0, output: '' });
  t.same(new Set(await versionsIn(cwd)), new Set(['9.8.7']));
  const changelog = await readFile(`${cwd}/CHANGELOG.md`, 'utf8');
  t.match(changelog, /^## \[Unreleased\]\n\n## \[9\.8\.7\] - \d{4}-\d\d-\d\d\n/m);
});
