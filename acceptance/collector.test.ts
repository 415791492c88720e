/** What logins are answered, and how long a stop takes, while the collector of their spans fails. */
import t from 'tap';
import { type Running, start, stop } from '../test/support/executable.js';
import { FORM, type Reply, send } from '../test/support/send.js';
import { startCollector } from './collector.js';

function login(service: Running): Promise<Reply> {
  const body = 'email=foo%40bar.com&password=foobar';
  return send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
}

t.test('a collector that is gone costs no login, and the log little', async (t) => {
  const env = {
    // Nothing listens there.
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_EXPORTER_OTLP_TIMEOUT: '100',
    OTEL_BSP_SCHEDULE_DELAY: '10',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1',
  };
  const service = await start(t, { cwd: t.testdir(), env });
  t.equal((await login(service)).status, 401);
  await service.written('ECONNREFUSED');
  for (let more = 0; more < 3; more += 1) t.equal((await login(service)).status, 401);
  t.ok((await stop(t, service)) < 2_500);
  t.equal(service.output().match(/ECONNREFUSED/g)?.length, 1);
});

t.test('a collector that says nothing holds up no login, and no stop for long', async (t) => {
  const collector = await startCollector(t, { answers: false });
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1' };
  const service = await start(t, { cwd: t.testdir(), env });
  for (let times = 0; times < 3; times += 1) t.equal((await login(service)).status, 401);
  t.ok(collector.exports.length > 0);
  t.ok((await stop(t, service)) < 4_000);
  t.match(service.output(), /tracing: spans are lost: not sent within/);
});
