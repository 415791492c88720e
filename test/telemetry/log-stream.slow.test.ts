import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { createLogStream } from '#built/telemetry/log-stream.js';
import { command } from '../support/command.js';
import { MAIN } from '../support/executable.js';
import { scrape } from '../support/scrape.js';
import { send } from '../support/send.js';
import { freePort } from '../support/temporary-postgresql.js';

t.test('lines for which there is no room are dropped, and counted; the others are whole', async (t) => {
  const directory = t.testdir();
  const pipe = `${directory}/pipe`;
  await command(directory, 'mkfifo', pipe);
  const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  let dropped = 0;
  const log = createLogStream(fd, () => {
    dropped += 1;
  });
  const lines = Array.from({ length: 6_000 }, (_, number) => `${number} ${'x'.repeat(250)}`);
  for (const line of lines) log.write(`${line}\n`);
  t.ok(dropped > 0, `${dropped} of ${lines.length} lines`);
  const kept = lines.slice(0, lines.length - dropped);

  const read: string[] = [];
  const input = createReadStream(pipe);
  for await (const line of createInterface({ input })) {
    if (read.push(line) === kept.length) log.write('the next one\n');
    if (read.length > kept.length) break;
  }
  closeSync(fd);
  t.same(read, [...kept, 'the next one'], 'the last ones are dropped, until there is room again');
});

/** Starts the service with a log that can't be written to; with metrics. */
async function startUnread(t: Test, log: number | 'pipe') {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const { PATH } = process.env;
  const env = { PATH, PORT: String(port), METRICS_PORT: String(metricsPort) };
  const child = spawn(process.execPath, [MAIN], { cwd: t.testdir(), env, stdio: ['ignore', log, 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  while (!(await send(url, { path: '/livez' }).catch(() => undefined)));
  return { url, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, child };
}

for (const log of ['a full disk', 'a pipe that nobody reads']) {
  t.test(`goes on with ${log} as its log`, async (t) => {
    const { url, metricsUrl, child } = await startUnread(
      t,
      log === 'a full disk' ? openSync('/dev/full', 'w') : 'pipe',
    );
    const headers = { 'x-request-id': 'x'.repeat(255) };
    const dropped = async () => (await scrape(metricsUrl)).samples.get('sessions_log_dropped_lines_total');
    t.equal(await dropped(), 0);
    while ((await dropped()) === 0) {
      const replies = await Promise.all(Array.from({ length: 100 }, () => send(url, { path: '/livez', headers })));
      t.ok(replies.every(({ status }) => status === 200));
    }
    child.kill('SIGTERM');
    t.same(await once(child, 'exit'), [0, null]);
  });
}

t.test('a pipe that is read again has whole lines', async (t) => {
  const { url, child } = await startUnread(t, 'pipe');
  if (!child.stdout) throw new Error('no pipe');
  for (let count = 0; count < 400; count += 1) {
    await send(url, { path: '/livez', headers: { 'x-request-id': `id-${count}-${'x'.repeat(200)}` } });
  }
  const lines: { requestId?: string; msg: string }[] = [];
  let ids = 0;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text);
    lines.push(line);
    if (!line.requestId?.startsWith('id-')) continue;
    ids += 1;
    if (ids === 400) child.kill('SIGTERM');
  }
  t.equal(ids, 400);
  t.match(lines.at(-1)?.msg, /stopping/);
  t.equal(child.exitCode ?? (await once(child, 'exit'))[0], 0);
});
