import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { scrape } from '../support/scrape.js';
import { send } from '../support/send.js';
import { freePort } from '../support/temporary-postgresql.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Starts the service with a log that can't be read; with metrics. */
async function startUnread(t: Test, log: number | 'pipe') {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const { PATH } = process.env;
  const env = { PATH, PORT: String(port), METRICS_PORT: String(metricsPort) };
  const child = spawn(process.execPath, [MAIN], { cwd: t.testdir(), env, stdio: ['ignore', log, 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const isAlive = async () => (await send(url, { path: '/livez' }).catch(() => undefined))?.status === 200;
  while (!(await isAlive())) await wait(50);
  return { url, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, child, exited: once(child, 'exit') };
}

for (const log of ['a full disk', 'a pipe that nobody reads'] as const) {
  t.test(`goes on with ${log} as its log`, async (t) => {
    const { url, metricsUrl, child, exited } = await startUnread(
      t,
      log === 'a full disk' ? openSync('/dev/full', 'w') : 'pipe',
    );
    const headers = { 'x-request-id': 'x'.repeat(255) };
    let slowest = 0;
    const flood = async () => {
      for (let count = 0; count < 300; count += 1) {
        const asked = performance.now();
        await send(url, { path: '/livez', headers });
        slowest = Math.max(slowest, performance.now() - asked);
      }
    };
    await Promise.all(Array.from({ length: 12 }, flood));
    t.ok(slowest < 2_000, `answered within ${slowest.toFixed(0)} ms`);
    const dropped = (await scrape(metricsUrl)).samples.get('sessions_log_dropped_lines_total') ?? 0;
    t.ok(dropped > 100, `${dropped} lines are dropped, and counted`);
    const told = performance.now();
    child.kill('SIGTERM');
    t.same(await exited, [0, null]);
    t.ok(performance.now() - told < 5_000);
  });
}

t.test('a pipe that is read again has whole lines', async (t) => {
  const { url, child, exited } = await startUnread(t, 'pipe');
  for (let count = 0; count < 400; count += 1) {
    await send(url, { path: '/livez', headers: { 'x-request-id': `id-${count}-${'x'.repeat(200)}` } });
  }
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await wait(500);
  child.kill('SIGTERM');
  t.same(await exited, [0, null]);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(lines.filter(({ requestId = '' }) => requestId.startsWith('id-')).length, 400);
  t.match(lines.at(-1)?.msg, /stopping/);
});
