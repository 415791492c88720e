import pg from 'pg';
import t, { type Test } from 'tap';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { describeLocks } from '#built/database/migrations/locks.js';
import { readMigrations } from '#built/database/migrations/migrations.js';
import { createDatabase } from '../../support/service.js';

/** What a migration with one statement locks, after all others. */
function locksOf(provider: Provider, sql: string) {
  const name = '29990101000000_later';
  const [described] = describeLocks(provider, [...readMigrations(provider), { name, sql }], [name]);
  return described;
}

for (const provider of PROVIDERS) {
  t.test(`each migration is described on ${provider}`, async (t) => {
    const migrations = readMigrations(provider);
    const names = migrations.map(({ name }) => name);
    const described = describeLocks(provider, migrations, names);
    t.same(
      described.map(({ name }) => name),
      names,
    );
    const locks = described.flatMap(({ tables }) => tables.map(({ lock }) => lock));
    t.same(new Set(locks), new Set([null]), 'an empty database has no table in use');
  });

  t.test(`a statement of an unknown kind is no silence on ${provider}`, async (t) => {
    for (const sql of ['VACUUM;', 'DROP INDEX "unknown_idx";', 'ALTER TABLE "users" DROP COLUMN "email";']) {
      t.throws(() => locksOf(provider, sql), { message: `a statement is of no known kind: ${sql.slice(0, -1)}` });
    }
  });
}

/** Each table, with the file that a rewrite would replace. */
const TABLES =
  "SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
/** Each table that this transaction has locked for more than reading, with the strongest lock. */
const HELD = `SELECT DISTINCT ON (relname) relname, mode FROM pg_locks JOIN pg_class ON relation = pg_class.oid
  WHERE pid = pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace AND mode <> 'AccessShareLock'
  ORDER BY relname, array_position(ARRAY['AccessExclusiveLock', 'ShareLock', 'RowExclusiveLock'], mode)`;

async function connectToPostgresql(t: Test) {
  const client = new pg.Client({ connectionString: await createDatabase(t, 'postgresql') });
  await client.connect();
  t.teardown(() => client.end());
  return {
    execute: (sql: string) => client.query(sql),
    pairs: async (sql: string) => new Map((await client.query<[string, string]>({ text: sql, rowMode: 'array' })).rows),
  };
}

t.test('PostgreSQL takes the locks that are described, and rewrites no table', async (t) => {
  const { execute, pairs } = await connectToPostgresql(t);
  const migrations = readMigrations('postgresql');
  for (const { name, sql } of migrations) {
    const before = await pairs(TABLES);
    await execute(`BEGIN; ${sql}`);
    const held = [...(await pairs(HELD))].filter(([table]) => before.has(table));
    const [{ tables = [] } = {}] = describeLocks('postgresql', migrations, [name]);
    const described = new Map<string, string>();
    for (const { table, lock } of tables) if (lock !== null) described.set(table, nameOf(lock));
    t.same(described, new Map(held), name);
    const after = await pairs(TABLES);
    for (const [table, file] of before) t.equal(after.get(table), file, `${table} is not rewritten`);
    await execute('COMMIT');
  }
});

/** As `pg_locks` writes it: AccessExclusiveLock. */
const nameOf = (lock: string) =>
  `${lock.toLowerCase().replaceAll(/(?:^| )(.)/g, (_, letter: string) => letter.toUpperCase())}Lock`;

t.test('an index that may be built before', async (t) => {
  const sql = 'CREATE INDEX IF NOT EXISTS "users_disabled_at_idx" ON "users"("disabled_at");';
  const users = { table: 'users', changes: ['builds an index'], lock: 'SHARE', blocks: 'writes' };
  const statement = 'CREATE INDEX CONCURRENTLY IF NOT EXISTS "users_disabled_at_idx" ON "users"("disabled_at");';
  t.match(locksOf('postgresql', sql), { tables: [users], before: [statement] });
  t.match(locksOf('postgresql', sql.replace('IF NOT EXISTS ', '')), { tables: [users], before: [] });
  t.match(
    locksOf('sqlite', sql),
    { tables: [{ lock: 'RESERVED', blocks: 'writes to all tables' }], before: [] },
    'SQLite builds none beside writes',
  );

  const { execute } = await connectToPostgresql(t);
  const migrations = [...readMigrations('postgresql'), { name: '29990101000000_later', sql }];
  for (const migration of migrations) {
    const [described] = describeLocks('postgresql', migrations, [migration.name]);
    for (const before of described?.before ?? []) await execute(before);
    await execute(migration.sql);
    t.pass(migration.name);
  }
});
