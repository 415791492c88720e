import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { command } from '../test/support/command.js';

/** Why a tool in Python can't run here; false where it can. */
export const noPython = spawnSync('python3', ['--version']).error !== undefined && 'not run here: no python3';

/**
 * Installs a package of PyPI in an environment of its own, as NAME.requirements.txt lists it with what it needs.
 *
 * @returns its executable, which has its name
 */
export async function installPythonTool(t: Test, name: string): Promise<string> {
  const fileAt = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const venv = fileAt(`../node_modules/.cache/${name}`);
  for (const [file, ...args] of [
    ['python3', '-m', 'venv', venv],
    [`${venv}/bin/pip`, 'install', '--quiet', '--requirement', fileAt(`${name}.requirements.txt`)],
  ] as const) {
    t.match(await command('.', file, ...args), { code: 0 }, `${file} ${args[0]}`);
  }
  return `${venv}/bin/${name}`;
}
