/**
 * Sets the version in the contract, both packages and the Kubernetes manifest, in the current directory: `npm run version:set -- X.Y.Z`. With --release, as
 * `npm run release` has it, it also dates what the changelog lists under "Unreleased".
 */
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({ options: { release: { type: 'boolean' } }, allowPositionals: true });
const [version = ''] = positionals;
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  console.error('the version must have the form X.Y.Z');
  process.exit(64);
}

async function replaceIn(file: string, pattern: RegExp, replacement: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  if (!pattern.test(text)) throw new Error(`${file} has nothing that matches ${pattern}`);
  await writeFile(file, text.replace(pattern, replacement));
}

await replaceIn('openapi.yaml', /^ {2}version: .*$/m, `  version: ${version}`);
await replaceIn('deploy/kubernetes/deployment.yaml', /(image: .*):.*$/m, `$1:${version}`);
for (const cwd of ['.', 'clients/typescript']) {
  execFileSync('npm', ['version', version, '--allow-same-version', '--no-git-tag-version'], { cwd });
}
if (values.release) {
  const today = new Date().toISOString().slice(0, 10);
  await replaceIn('CHANGELOG.md', /^## \[Unreleased\]$/m, `## [Unreleased]\n\n## [${version}] - ${today}`);
}
