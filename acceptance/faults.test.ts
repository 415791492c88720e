/** What logins are answered while their database fails, and after: right, or 503. */
import { setTimeout as wait } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import { run, start, waitedForCores } from '../test/support/executable.js';
import { lockSqlite } from '../test/support/lock-sqlite.js';
import { FORM, send } from '../test/support/send.js';
import { HIGH_BUDGETS, SECRET } from '../test/support/service.js';
import { CANNOT_MOUNT, mountSmallDisk } from '../test/support/small-disk.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';

/** Milliseconds. */
const ANSWERED_WITHIN = 3_000;
const RECOVERED_WITHIN = 2_000;
/** A database that can't be written to is noticed when that is next tried. */
const NOTICED_WITHIN = 600;
/** Longer than a login that is in flight at its beginning, and one more. */
const FAULT_LASTS = 5_000;

type Fault = { begin(): Promise<unknown>; end(): Promise<unknown> };

/** Starts the built service, and lets it log users in, rightly and wrongly, until it is stopped. */
async function startUnderLogins(t: Test, databaseUrl: string) {
  const options = { cwd: t.testdir(), env: { DATABASE_URL: databaseUrl, JWT_SECRET: SECRET, ...HIGH_BUDGETS } };
  await run(['users', 'add', 'foo@bar.com'], { ...options, input: 'correct horse' });
  const service = await start(t, options);
  // `waited` for a core, which another process had.
  const replies: { expected: number; status: number; at: number; milliseconds: number; waited: number }[] = [];
  let going = true;
  const keepLoggingIn = async (password: string, expected: number) => {
    while (going) {
      const waitedBefore = await waitedForCores(service);
      const started = performance.now();
      const { status } = await send(service.url, {
        method: 'POST',
        path: '/api/v1/sessions',
        headers: FORM,
        body: new URLSearchParams({ email: 'foo@bar.com', password }).toString(),
      });
      const milliseconds = performance.now() - started;
      const waited = (await waitedForCores(service)) - waitedBefore;
      replies.push({ expected, status, at: started, milliseconds, waited });
      await wait(20);
    }
  };
  const loops = [keepLoggingIn('correct horse', 200), keepLoggingIn('wrong', 401), keepLoggingIn('correct horse', 200)];
  const stop = async () => {
    going = false;
    await Promise.all(loops);
    service.kill('SIGTERM');
    t.equal(await service.exited, 0, 'and it stops as it should');
  };
  return { service, replies, stop };
}

async function suffer(t: Test, databaseUrl: string, { begin, end }: Fault): Promise<void> {
  const { service, replies, stop } = await startUnderLogins(t, databaseUrl);
  const status = async (path: string) => (await send(service.url, { path })).status;
  t.equal(await status('/readyz'), 200);
  await begin();
  const began = performance.now();
  await wait(NOTICED_WITHIN);
  t.equal(await status('/readyz'), 503, 'not ready');
  let slowest = 0;
  while (performance.now() - began < FAULT_LASTS) {
    const started = performance.now();
    if ((await status('/livez')) !== 200) t.fail('the process does not answer');
    slowest = Math.max(slowest, performance.now() - started);
    await wait(50);
  }
  t.ok(slowest < 1_000, `the process answered within ${slowest.toFixed(0)} ms`);
  const over = performance.now();
  await end();
  const ended = performance.now();
  while ((await status('/readyz')) !== 200 && performance.now() - ended < 10_000) await wait(50);
  t.ok(performance.now() - ended < RECOVERED_WITHIN, 'ready again within 2 s');
  await wait(1_000);
  await stop();

  const wrong = replies.filter((reply) => ![reply.expected, 503].includes(reply.status));
  t.same(wrong, [], 'every answer is right or 503');
  t.same(
    replies.filter(({ milliseconds, waited }) => milliseconds - waited > ANSWERED_WITHIN),
    [],
    'within 3 s',
  );
  const during = replies.filter(({ at, milliseconds }) => at > began + NOTICED_WITHIN && at + milliseconds < over);
  t.ok(during.length > 0);
  t.same(
    during.filter(({ status }) => status !== 503),
    [],
    'no login passes',
  );
  const after = replies.filter(({ at }) => at > ended + RECOVERED_WITHIN);
  t.same(
    after.filter(({ expected, status }) => expected !== status),
    [],
    'and afterwards all is well',
  );
}

t.setTimeout(600_000);

t.test('PostgreSQL', async (t) => {
  const postgresql = await startTemporaryPostgresql(['-c', 'max_connections=30']);
  t.teardown(() => postgresql.stop());
  const connect = () => new PrismaPg({ connectionString: postgresql.url, max: 1 }).connect();
  const execute = async (sql: string) => {
    const connection = await connect();
    await connection.executeScript(sql).finally(() => connection.dispose());
  };

  t.test('is stopped, and started again', (t) =>
    suffer(t, postgresql.url, { begin: postgresql.halt, end: postgresql.start }),
  );

  t.test('is killed, and started again', (t) =>
    suffer(t, postgresql.url, {
      begin: () => postgresql.signal('SIGKILL'),
      end: postgresql.start,
    }),
  );

  t.test('freezes, and goes on', (t) =>
    suffer(t, postgresql.url, {
      begin: () => postgresql.signal('SIGSTOP'),
      end: () => postgresql.signal('SIGCONT'),
    }),
  );

  t.test('is slow: another transaction has the table', async (t) => {
    const other = await connect();
    await suffer(t, postgresql.url, {
      begin: () => other.executeScript('BEGIN; LOCK TABLE users, throttle_counters IN ACCESS EXCLUSIVE MODE'),
      end: () => other.executeScript('ROLLBACK'),
    });
    await other.dispose();
  });

  t.test('can only be read', (t) =>
    suffer(t, postgresql.url, {
      begin: () => execute('ALTER DATABASE postgres SET default_transaction_read_only = on').then(disconnectOthers),
      end: () => execute('BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT'),
    }),
  );

  t.test('has no connection left', async (t) => {
    const hogs: SqlDriverAdapter[] = [];
    await suffer(t, postgresql.url, {
      async begin() {
        await disconnectOthers();
        for (;;) {
          const hog = await connect();
          try {
            await hog.executeScript('SELECT 1');
          } catch {
            await hog.dispose();
            // Whatever the service has kept is taken too.
            if (hogs.length >= 30) return;
            await hogs[0]?.executeScript(TERMINATE_SERVICE);
            continue;
          }
          await hog.executeScript("SET application_name = 'hog'");
          hogs.push(hog);
        }
      },
      end: () => Promise.all(hogs.map((hog) => hog.dispose())),
    });
  });

  const TERMINATE_SERVICE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name <> 'hog' AND pid <> pg_backend_pid()`;
  const disconnectOthers = () => execute(TERMINATE_SERVICE);
});

t.test('SQLite', async (t) => {
  const disk = await mountSmallDisk(t, 4);
  const file = `${disk?.directory ?? t.testdir()}/sessions.db`;

  t.test('has no room on its disk', { skip: !disk && CANNOT_MOUNT }, (t) =>
    suffer(t, `file:${file}`, { begin: async () => disk?.leave(0), end: async () => disk?.relieve() }),
  );

  t.test('refuses to write', async (t) => {
    // A file system can't be made read-only under a process that writes to it, so a trigger stands in.
    const other = new Sqlite(file);
    await suffer(t, `file:${file}`, {
      begin: async () =>
        other.exec(`CREATE TRIGGER read_only BEFORE INSERT ON throttle_counters
          BEGIN SELECT RAISE(FAIL, 'attempt to write a readonly database'); END`),
      end: async () => other.exec('DROP TRIGGER read_only'),
    });
    other.close();
  });

  t.test('is locked by another process', async (t) => {
    let unlock = () => {};
    await suffer(t, `file:${file}`, {
      begin: async () => {
        unlock = lockSqlite(file);
      },
      end: async () => unlock(),
    });
  });
});
