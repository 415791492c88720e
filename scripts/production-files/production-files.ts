/**
 * Copies what the built service needs to run, and nothing else, into a directory: `npm run production-files -- DIRECTORY`.
 * Most of what npm installs for it is never read: other databases' engines, types, sources, tests.
 */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFileTrace } from '@vercel/nft';

const root = fileURLToPath(new URL('../../', import.meta.url));
const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('say into which directory');

const { fileList } = await nodeFileTrace([join(root, 'dist/main.js')], { base: root });
await rm(directory, { recursive: true, force: true });
// Read by path, which the trace does not see.
for (const file of new Set([...fileList, 'package.json', 'prisma/migrations'])) {
  await mkdir(dirname(join(directory, file)), { recursive: true });
  await cp(join(root, file), join(directory, file), { recursive: true, verbatimSymlinks: true });
}
// The service runs as another user, who reads them also if a umask of 077 has created them.
execFileSync('chmod', ['-R', 'a+rX', directory]);
