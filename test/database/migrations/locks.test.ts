import pg from 'pg';
import t, { type Test } from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { describeLocks, readLocks, type TableLock } from '#built/database/migrations/locks.js';
import { readMigrations } from '#built/database/migrations/migrations.js';
import { observeLocks } from '../../../scripts/observe-locks.js';
import { createDatabase } from '../../support/service.js';

for (const provider of PROVIDERS) {
  t.test(`each migration is described on ${provider}`, async (t) => {
    const names = readMigrations(provider).map(({ name }) => name);
    const described = describeLocks(provider, names);
    t.same(
      described.map(({ name }) => name),
      names,
    );
    const locks = described.flatMap(({ tables }) => tables.map(({ lock }) => lock));
    t.same(new Set(locks), new Set([null]), 'an empty database has no table in use');
    t.same(
      described.flatMap(({ before }) => before),
      [],
    );
    for (const { tables } of names.flatMap((name) => describeLocks(provider, [name])))
      for (const { lock, blocks } of tables) t.equal(typeof blocks, typeof lock, 'a lock that is known');
  });
}

async function connectToPostgresql(t: Test) {
  const client = new pg.Client({ connectionString: await createDatabase(t, 'postgresql') });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

/** By tables, in any order. Changes of rows can't be observed. */
function comparable(locks: TableLock[]) {
  return Object.fromEntries(
    locks.map(({ table, changes, lock }) => [
      table,
      { lock, changes: changes.filter((change) => !['inserts rows', 'updates rows'].includes(change)) },
    ]),
  );
}

t.test('PostgreSQL takes the locks that are described, and rewrites no table', async (t) => {
  const client = await connectToPostgresql(t);
  for (const { name, sql } of readMigrations('postgresql')) {
    t.same(comparable(readLocks('postgresql', name)), comparable(await observeLocks(client, sql)), name);
  }
});

t.test('SQLite has one lock for all writes, and builds no index beside them', async (t) => {
  for (const { name } of readMigrations('sqlite')) {
    const expected = readLocks('postgresql', name).map(({ table, changes, lock }) => ({
      table,
      changes,
      ...(lock && { lock: 'RESERVED' }),
    }));
    t.same(readLocks('sqlite', name), expected, name);
  }
});

t.test('an index that may be built before', async (t) => {
  const client = await connectToPostgresql(t);
  let built = 0;
  for (const { name, sql } of readMigrations('postgresql')) {
    for (const { before } of describeLocks('postgresql', [name])) {
      for (const statement of before) await client.query(statement);
      built += before.length;
    }
    await client.query(sql);
  }
  t.ok(built > 0);
});
