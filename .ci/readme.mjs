// Runs the README's `sh` blocks in order. A block that serves keeps running while the next blocks run, until another one
// serves, or the end. Every other block must exit with 0. Only the first `npm ci` runs: the next one would install the same again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

const SERVING = /http:\/\/127\.0\.0\.1:\d+/;
const INSTALL = 'npm ci && ';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
let installed = false;
let serving;

for (const [, text] of readme.matchAll(/^```sh\n(.*?)^```$/gms)) {
  const block = installed ? text.replace(INSTALL, '') : text;
  installed ||= text.includes(INSTALL);
  console.log(`\n$ ${block.trim()}`);
  if (/npm (start|run demo)/.test(block)) {
    await stop();
    serving = await serve(block);
  } else {
    const [code] = await once(spawn('bash', ['-ec', block], { stdio: ['ignore', 'inherit', 'inherit'] }), 'exit');
    if (code !== 0) await fail(`exited with ${code}`);
  }
}
await stop();

async function serve(block) {
  // A process group of its own, so that the signal reaches npm and node as a terminal's Ctrl-C does.
  const child = spawn('bash', ['-ec', block], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const exited = once(child, 'exit');
  const ready = new Promise((resolve) => {
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      if (SERVING.test(chunk)) resolve('ready');
    });
  });
  if ((await Promise.race([ready, exited])) !== 'ready') await fail('exited before it served');
  return { child, exited };
}

async function stop() {
  if (!serving) return;
  const { child, exited } = serving;
  serving = undefined;
  process.kill(-child.pid, 'SIGINT');
  const [code] = await exited;
  if (code !== 0) await fail(`exited with ${code} after Ctrl-C`);
}

async function fail(message) {
  console.error(`README.md: the block above ${message}`);
  if (serving) process.kill(-serving.child.pid, 'SIGKILL');
  process.exit(1);
}
