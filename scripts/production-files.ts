/**
 * Copies what the built service needs to run, and nothing else, into a directory: `npm run production-files -- DIRECTORY`.
 * Most of what npm installs for it is never read: other databases' engines, types, sources, tests.
 */
import { cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFileTrace } from '@vercel/nft';

const root = fileURLToPath(new URL('../', import.meta.url));
const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('say into which directory');

// Loaded by path, which the trace does not see.
const schemaEngine = fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
const loadedByPath = [join(dirname(schemaEngine), 'schema_engine_bg.wasm'), join(root, 'package.json')];

const { fileList } = await nodeFileTrace([join(root, 'dist/main.js')], { base: root });
await rm(directory, { recursive: true, force: true });
for (const file of new Set([...fileList, ...loadedByPath.map((path) => relative(root, path))])) {
  await mkdir(dirname(join(directory, file)), { recursive: true });
  await cp(join(root, file), join(directory, file), { verbatimSymlinks: true });
}
