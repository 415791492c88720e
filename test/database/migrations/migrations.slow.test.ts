import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { type DatabaseUrl, PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { readMigrations } from '#built/database/migrations/migrations.js';
import { ExpectedError } from '#built/errors/expected-error.js';
import { readModels, schemaDiff } from '../../../scripts/schema-diff.js';
import { applyMigrationsByEngine } from '../../../scripts/schema-engine.js';
import { run, start } from '../../support/executable.js';
import { lockSqlite } from '../../support/lock-sqlite.js';
import { FORM, send } from '../../support/send.js';
import { createDatabase, SECRET } from '../../support/service.js';

const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00$/;
const COLUMNS = {
  sqlite: `SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('_prisma_migrations')`,
  postgresql: `SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
    FROM information_schema.columns WHERE table_name = '_prisma_migrations' ORDER BY ordinal_position`,
};

async function scratchDatabase(t: Test, provider: Provider) {
  // On SQLite the database is in the same directory, which a second call would empty.
  const cwd = t.testdir();
  const DATABASE_URL = await createDatabase(t, provider);
  const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
  const factory = factoryFor(databaseUrl);
  // Closed after each use: the engine needs SQLite's file for itself.
  const withConnection = async <T>(work: (connection: SqlDriverAdapter) => Promise<T>) => {
    const connection = await factory.connect();
    return work(connection).finally(() => connection.dispose());
  };
  return {
    cwd,
    DATABASE_URL,
    databaseUrl,
    factory,
    query: (sql: string) =>
      withConnection(async (connection) => (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows),
    execute: (sql: string) => withConnection((connection) => connection.executeScript(sql)),
  };
}

function factoryFor(url: DatabaseUrl) {
  return url.provider === 'sqlite'
    ? new PrismaBetterSqlite3({ url: url.file })
    : new PrismaPg({ connectionString: url.href });
}

type Scratch = Awaited<ReturnType<typeof scratchDatabase>>;

/** Copies the built service, with one more migration. */
async function withMigration(cwd: string, provider: Provider, name: string, sql: string): Promise<string> {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const copy = `${cwd}/copy`;
  for (const part of ['dist', 'prisma', 'package.json'])
    await cp(`${root}${part}`, `${copy}/${part}`, { recursive: true });
  await symlink(`${root}node_modules`, `${copy}/node_modules`);
  await mkdir(`${copy}/prisma/migrations/${provider}/${name}`);
  await writeFile(`${copy}/prisma/migrations/${provider}/${name}/migration.sql`, sql);
  return `${copy}/dist/main.js`;
}

for (const provider of PROVIDERS) {
  const migrations = readMigrations(provider).map(({ name }) => name);
  const [first = '', second = ''] = migrations;

  t.test(`the migrations of ${provider} make what the models say`, async (t) => {
    t.equal(await schemaDiff(provider, (await scratchDatabase(t, provider)).factory, await readModels()), '');
  });

  t.test(`the check tells a drift on ${provider}`, async (t) => {
    const models = (await readModels()).replace('@map("disabled_at")', '@map("disabled_on")');
    t.match(await schemaDiff(provider, (await scratchDatabase(t, provider)).factory, models), /disabled_on/);
  });

  t.test(`are applied once on ${provider}`, async (t) => {
    const { databaseUrl } = await scratchDatabase(t, provider);
    t.same(await migrate(databaseUrl), migrations);
    t.match(first, /^\d{14}_create_users$/);
    t.same(await migrate(databaseUrl), []);
  });

  t.test(`Prisma's schema engine agrees on ${provider}`, async (t) => {
    const states: unknown[] = [];
    const byService = ({ databaseUrl }: Scratch) => migrate(databaseUrl);
    const byEngine = ({ factory }: Scratch) => applyMigrationsByEngine(provider, factory);
    for (const [apply, applyAgain] of [
      [byService, byEngine],
      [byEngine, byService],
    ] as const) {
      await t.test(`${apply.name} first`, async (t) => {
        const database = await scratchDatabase(t, provider);
        const { query, execute } = database;
        t.same(await apply(database), migrations);
        t.same(await applyAgain(database), [], 'the other finds nothing to apply');
        for (const record of await query('SELECT id, started_at, finished_at FROM _prisma_migrations')) {
          t.match(record, [UUID, ISO, ISO]);
        }
        const rows = await query(
          'SELECT checksum, migration_name, logs, rolled_back_at, applied_steps_count FROM _prisma_migrations ORDER BY 2',
        );
        states.push({ rows, columns: await query(COLUMNS[provider]) });

        await execute(
          `DROP TABLE throttle_counters; DELETE FROM _prisma_migrations WHERE migration_name = '${second}'`,
        );
        t.same(await applyAgain(database), [second], 'the other applies what is missing');
        t.same(await apply(database), []);
      });
    }
    t.same(states[0], states[1]);
  });

  t.test(`a migration that has changed is refused on ${provider}`, async (t) => {
    const { databaseUrl, execute } = await scratchDatabase(t, provider);
    await migrate(databaseUrl);
    await execute(`UPDATE _prisma_migrations SET checksum = 'x' WHERE migration_name = '${second}'`);
    const refused = await migrate(databaseUrl).catch((error) => error);
    t.type(refused, ExpectedError);
    t.match(refused.message, `migration ${second} differs`);
  });

  t.test(`an engine that was killed amid a migration is reported on ${provider}`, async (t) => {
    const { databaseUrl, query, execute } = await scratchDatabase(t, provider);
    await migrate(databaseUrl);
    await execute(`UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = '${second}';
      DROP INDEX throttle_counters_expires_at_idx`);
    const before = await query('SELECT * FROM _prisma_migrations ORDER BY migration_name');
    const refused = await migrate(databaseUrl).catch((error) => error);
    t.type(refused, ExpectedError);
    t.match(refused.message, `migration ${second} was begun but not finished`);
    t.same(await query('SELECT * FROM _prisma_migrations ORDER BY migration_name'), before, 'and left as it is');

    await execute(`UPDATE _prisma_migrations SET rolled_back_at = CURRENT_TIMESTAMP WHERE migration_name = '${second}';
      DROP TABLE throttle_counters`);
    t.same(await migrate(databaseUrl), [second], 'as `prisma migrate resolve --rolled-back` repairs it');
  });

  t.test(`who had ended sessions before they were rows logs in once more, on ${provider}`, async (t) => {
    const { query, execute } = await scratchDatabase(t, provider);
    for (const { name, sql } of readMigrations(provider)) {
      if (name.endsWith('_add_sessions'))
        await execute(`INSERT INTO users (email, password_digest) VALUES ('a@x', ''), ('b@x', ''), ('c@x', '');
          INSERT INTO session_watermarks (user_id, exp) VALUES (1, 1), (9, 1);
          INSERT INTO revoked_tokens (key, user_id, exp) VALUES ('2:1', 2, 1)`);
      await execute(sql);
    }
    const epochs = (await query('SELECT sessions_epoch FROM users ORDER BY id')).flat();
    t.match(epochs, [/^[\da-f-]{32,}$/, /^[\da-f-]{32,}$/, /^$/]);
    t.not(epochs[0], epochs[1]);
  });

  t.test(`records of a newer version are left alone on ${provider}`, async (t) => {
    const { databaseUrl, execute } = await scratchDatabase(t, provider);
    await migrate(databaseUrl);
    await execute(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('later', 'x', '29990101000000_later')`,
    );
    t.same(await migrate(databaseUrl), []);
  });

  t.test(`a database of something else is refused on ${provider}`, async (t) => {
    const { databaseUrl, query, execute } = await scratchDatabase(t, provider);
    await execute('CREATE TABLE something (id INTEGER)');
    await t.rejects(migrate(databaseUrl), { message: 'the database has tables, but no migrations' });
    await t.rejects(query('SELECT 1 FROM _prisma_migrations'));
  });

  t.test(`instances that start at once wait for one another on ${provider}`, async (t) => {
    const { cwd, DATABASE_URL, query } = await scratchDatabase(t, provider);
    const options = { cwd, env: { DATABASE_URL } };
    const instances = await Promise.all([1, 2, 3].map(() => run(['migrate'], options)));
    t.same(
      instances.map(({ code, stderr }) => ({ code, stderr })),
      Array(3).fill({ code: 0, stderr: '' }),
    );
    const applied = instances.flatMap(({ stdout }) => stdout.match(/(?<=applied )\w+/g) ?? []);
    t.same(applied.sort(), migrations);
    t.same(await query('SELECT count(*) FROM _prisma_migrations'), [[migrations.length]]);
  });

  t.test(`an earlier version, whose engine holds its lock, is waited for on ${provider}`, async (t) => {
    const { cwd, DATABASE_URL, databaseUrl, query, factory } = await scratchDatabase(t, provider);
    const lock = async () => {
      if (databaseUrl.provider === 'sqlite') return lockSqlite(`${databaseUrl.file}-migration-lock`, 'BEGIN EXCLUSIVE');
      const connection = await factory.connect();
      await connection.executeScript('SELECT pg_advisory_lock(72707369)');
      return () => connection.dispose();
    };
    let ended = false;
    const untilWaiting = async () => {
      // SQLite shows no one who waits, but another database's migration, begun later, would end first.
      if (provider === 'sqlite') return run(['migrate'], { cwd, env: { DATABASE_URL: 'file:other.db' } });
      const waiting = `SELECT 1 FROM pg_locks WHERE NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      while (!ended && (await query(waiting)).length === 0);
    };
    const unlock = await lock();
    const instance = run(['migrate'], { cwd, env: { DATABASE_URL } }).finally(() => {
      ended = true;
    });
    await untilWaiting();
    t.notOk(ended);
    await t.rejects(query('SELECT 1 FROM users'));
    await unlock();
    t.match(await instance, { code: 0, stdout: `applied ${first}` });
  });

  t.test(`a migration that fails leaves nothing on ${provider}`, async (t) => {
    const { cwd, DATABASE_URL, query } = await scratchDatabase(t, provider);
    const sql = 'CREATE TABLE half (id INTEGER);\nINSERT INTO missing VALUES (1);\n';
    const main = await withMigration(cwd, provider, '29990101000000_fails', sql);
    const failed = await run(['migrate'], { cwd, env: { DATABASE_URL }, main });
    t.equal(failed.code, 69);
    t.match(failed.stderr, /missing/);
    await t.rejects(query('SELECT 1 FROM half'));
    t.same(
      await query('SELECT migration_name FROM _prisma_migrations ORDER BY 1'),
      migrations.map((name) => [name]),
    );
  });
}

t.test('the encoding of PostgreSQL', async (t) => {
  const cwd = t.testdir();
  const envOf = async (encoding: string) => {
    return { DATABASE_URL: await createDatabase(t, 'postgresql', encoding), JWT_SECRET: SECRET };
  };

  t.test('LATIN1 is refused', async (t) => {
    const env = await envOf('LATIN1');
    for (const args of [['serve'], ['migrate'], ['users', 'add', 'foo@bar.com']]) {
      t.same(await run(args, { cwd, env, input: 'foobar' }), {
        code: 78,
        stdout: '',
        stderr:
          'sessions-api: invalid configuration:\n  DATABASE_URL: the database has the encoding LATIN1, and must have UTF8\n',
      });
    }
  });

  t.test('SQL_ASCII serves, with a warning', async (t) => {
    const env = await envOf('SQL_ASCII');
    const warning = 'the database has the encoding SQL_ASCII, which checks no text: use UTF8';
    t.match(await run(['migrate'], { cwd, env }), { code: 0, stderr: `warning: ${warning}\n` });
    t.match(await run(['users', 'add', 'ä@bar.com'], { cwd, env, input: 'pässword' }), { code: 0 });
    const service = await start(t, { cwd, env });
    t.equal(service.output().split(`"level":40`).length, 2, 'one warning');
    t.match(service.output(), warning);
    const body = new URLSearchParams({ email: 'Ä@bar.com', password: 'pässword' }).toString();
    t.equal((await send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body })).status, 200);
  });
});

t.test('foreign keys of SQLite', async (t) => {
  const prepare = async (t: Test) => {
    const database = await scratchDatabase(t, 'sqlite');
    await migrate(database.databaseUrl);
    await database.execute(`INSERT INTO users (email, password_digest) VALUES ('foo@bar.com', 'x');
      CREATE TABLE children (user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE);
      INSERT INTO children VALUES (1)`);
    return database;
  };

  t.test('a table that others refer to can be rebuilt', async (t) => {
    const { cwd, DATABASE_URL, query } = await prepare(t);
    const sql = `PRAGMA defer_foreign_keys=ON;
      PRAGMA foreign_keys=OFF;
      CREATE TABLE "new_users" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "email" TEXT NOT NULL);
      INSERT INTO "new_users" ("id", "email") SELECT "id", "email" FROM "users";
      DROP TABLE "users";
      ALTER TABLE "new_users" RENAME TO "users";
      PRAGMA foreign_keys=ON;
      PRAGMA defer_foreign_keys=OFF;`;
    const main = await withMigration(cwd, 'sqlite', '29990101000000_rebuild', sql);
    t.match(await run(['migrate'], { cwd, env: { DATABASE_URL }, main }), { code: 0, stderr: '' });
    t.same(await query('SELECT user_id FROM children'), [[1]]);
  });

  t.test('are checked', async (t) => {
    const { cwd, DATABASE_URL, query } = await prepare(t);
    const main = await withMigration(cwd, 'sqlite', '29990101000000_orphans', 'DELETE FROM users;');
    t.match(await run(['migrate'], { cwd, env: { DATABASE_URL }, main }), {
      code: 78,
      stderr: 'sessions-api: migration 29990101000000_orphans breaks foreign keys',
    });
    t.same(await query('SELECT count(*) FROM users'), [[1]]);
  });
});
