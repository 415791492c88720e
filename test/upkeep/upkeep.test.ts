import { once } from 'node:events';
import fastify from 'fastify';
import t from 'tap';
import { type Task, upkeepPlugin } from '#built/upkeep/upkeep.js';

const HOUR = 3_600_000;

function register(...tasks: Task[]) {
  const lines: string[] = [];
  const app = fastify({ logger: { level: 'warn', stream: { write: (line) => lines.push(JSON.parse(line).msg) } } });
  app.register(upkeepPlugin, { tasks });
  return { app, lines };
}

t.test('a task runs at the start, and closing waits for it', async (t) => {
  let hasEnded = false;
  const { app, lines } = register({
    every: HOUR,
    failure: 'it has failed',
    async run(closing) {
      await once(closing, 'abort');
      hasEnded = true;
      throw new Error('too late');
    },
  });
  await app.ready();
  t.notOk(hasEnded, 'the service is ready while it runs');
  await app.close();
  t.ok(hasEnded);
  t.same(lines, ['it has failed']);
});

t.test('a task runs again and again', async (t) => {
  await new Promise<void>((resolve) => {
    let runs = 0;
    const { app } = register({
      every: 1,
      failure: 'it has failed',
      async run() {
        runs += 1;
        if (runs === 3) resolve();
      },
    });
    t.teardown(() => app.close());
    app.listen({ host: '127.0.0.1', port: 0 });
  });
});
