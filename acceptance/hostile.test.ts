/**
 * Whether a neighbour logs in all along, while strangers send what the rows of the issue "Nothing that a stranger sends stops
 * it" have: CONNECT, what is not HTTP, requests sent together whose replies are not read, aborted downloads and guesses.
 * HOSTILE_SECONDS (60) is how long.
 */
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { memoryOf, stop } from '../test/support/executable.js';
import { UNTHROTTLED } from '../test/support/service.js';
import { CHEAP, login, startWithUser } from '../test/support/steady-logins.js';

const SECONDS = Number(process.env.HOSTILE_SECONDS ?? 60);
const CLIENTS = fileURLToPath(new URL('hostile-clients.ts', import.meta.url));

t.setTimeout(SECONDS * 1_000 + 60_000);

t.test('a neighbour of hostile clients', async (t) => {
  const service = await startWithUser(t, {
    cwd: t.testdir(),
    env: { ...CHEAP, ...UNTHROTTLED, NODE_OPTIONS: '--max-old-space-size=256' },
  });
  const openFiles = async () => (await readdir(`/proc/${service.pid}/fd`)).length;
  for (let count = 0; count < 200; count += 1) await login(service.url);
  const filesBefore = await openFiles();

  const { port } = new URL(service.url);
  // A process of its own: what it does must not delay the neighbour.
  const hostile = spawn(process.execPath, ['--import=tsx', CLIENTS, port], { stdio: 'inherit' });
  t.teardown(() => hostile.kill('SIGKILL'));
  const waits: number[] = [];
  const failures: unknown[] = [];
  let memory = 0;
  for (const started = performance.now(); performance.now() - started < SECONDS * 1_000; await wait(20)) {
    const asked = performance.now();
    const status = await login(service.url).then((reply) => reply.status, String);
    waits.push(performance.now() - asked);
    if (status !== 200) failures.push(status);
    if (waits.length % 50 === 0) memory = Math.max(memory, await memoryOf(service));
  }
  t.equal(hostile.exitCode, null, 'the hostile clients are still there');
  hostile.kill('SIGKILL');

  t.same(failures, [], `all of ${waits.length} logins succeed`);
  const p99 = waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.99)] ?? 0;
  t.ok(p99 < 300, `99 of 100 are answered within ${p99.toFixed(0)} ms`);
  t.ok(memory < 350, `${memory.toFixed(0)} MB`);
  for (const ended = performance.now(); performance.now() - ended < 12_000; await wait(200)) {
    if ((await openFiles()) <= filesBefore) break;
  }
  t.ok((await openFiles()) <= filesBefore, 'no file or connection is left open');
  await stop(t, service);
});
