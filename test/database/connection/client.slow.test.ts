/** A PostgreSQL that can only be read: a standby, as a failover leaves it, or one that is set so. */
import { setTimeout as wait } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { type Database, openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { storedDigest } from '../../support/stored-digest.js';
import { startTemporaryPostgresql } from '../../support/temporary-postgresql.js';

const READ_ONLY = { message: /it is read-only|in a read-only transaction/ };
const FUTURE = Date.now() + 60_000;

const server = await startTemporaryPostgresql();
t.teardown(() => server.stop());
const { databaseUrl } = readConfig({ DATABASE_URL: server.url }, { issuesTokens: false });
await migrate(databaseUrl);

/** Runs SQL as an administrator, each statement by itself. */
async function administer(...statements: string[]): Promise<unknown[][]> {
  const connection = await new PrismaPg({ connectionString: server.url, max: 1 }).connect();
  try {
    let rows: unknown[][] = [];
    for (const sql of statements) rows = (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
    return rows;
  } finally {
    await connection.dispose();
  }
}

const OTHERS = `FROM pg_stat_activity WHERE application_name = 'sessions-api'`;
const disconnect = () => administer(`SELECT pg_terminate_backend(pid, 5000) ${OTHERS}`);
const connections = async () => (await administer(`SELECT pid ${OTHERS}`)).map(([pid]) => Number(pid));

async function open(t: Test, { writable = true, poolMax = 10 } = {}): Promise<Database> {
  const database = await openDatabase(databaseUrl, { writable, poolMax });
  t.teardown(() => database.close());
  return database;
}

/** Everything that writes. */
function writesOf({ users, throttleCounters, ping }: Database): Record<string, () => Promise<unknown>> {
  const counter = { key: 'key', expiresAt: FUTURE };
  return {
    ping: () => ping(),
    add: () => users.add('foo@bar.com', storedDigest('digest')),
    replacePasswordDigest: () => users.replacePasswordDigest(1, 'digest', storedDigest('other')),
    update: () => users.update(1, { disabledAt: new Date() }),
    updateAndEndSessions: () => users.update(1, { disabledAt: new Date() }, { endsSessions: true }),
    delete: () => users.delete(1),
    countFailure: () => throttleCounters.countFailure([{ ...counter, extends: true, restartsUntil: 0 }]),
    reset: () => throttleCounters.reset([counter]),
    remove: () => throttleCounters.remove(counter.key),
    removeExpired: () => throttleCounters.removeExpired(FUTURE),
  };
}

t.test('a standby is not read: what it says may be old', async (t) => {
  const database = await open(t);
  const command = await open(t, { writable: false });
  await administer(`DO $$ BEGIN
    EXECUTE format('COPY (SELECT) TO %L', current_setting('data_directory') || '/standby.signal'); END $$`);
  await server.halt();
  // Resolves when it is a primary again.
  const promoted = server.start();
  while ((await administer('SELECT pg_is_in_recovery()').catch(() => [])).length === 0) await wait(20);
  for (let query = 0; query < 3; query += 1) await t.rejects(database.users.find({ id: 1 }));
  await t.rejects(database.users.find({ id: 1 }), READ_ONLY);
  await t.rejects(openDatabase(databaseUrl, { writable: true }), READ_ONLY);
  await command.users.count().catch(() => undefined);
  t.equal(await command.users.count(), 0, 'a command that only reads may');
  await administer('SELECT pg_promote()');
  await promoted;
  t.equal(await database.users.find({ id: 1 }), undefined);
  await database.ping();
});

t.test('a connection that was opened while the database could only be read is not kept', async (t) => {
  const database = await open(t);
  await administer('ALTER DATABASE postgres SET default_transaction_read_only = on');
  await disconnect();
  for (let query = 0; query < 3; query += 1) await t.rejects(database.users.count());
  await administer('BEGIN READ WRITE', 'ALTER DATABASE postgres RESET default_transaction_read_only', 'COMMIT');
  await database.ping();
});

t.test('tells how many connections are used, and how many queries wait for one', async (t) => {
  const database = await open(t, { poolMax: 2 });
  const administrator = await new PrismaPg({ connectionString: server.url, max: 1 }).connect();
  t.teardown(() => administrator.dispose());
  await administrator.executeScript('BEGIN; LOCK TABLE users');
  const queries = Array.from({ length: 5 }, () => database.users.count());
  while (database.poolUse()?.waiting !== 3) await wait(20);
  t.same(database.poolUse(), { used: 2, idle: 0, waiting: 3 });
  await administrator.executeScript('COMMIT');
  await Promise.all(queries);
  t.same(database.poolUse(), { used: 0, idle: 2, waiting: 0 });
});

/** Until it fails. */
async function repeat(write: () => Promise<unknown>): Promise<never> {
  for (;;) await write();
}

t.test('a read-only answer discards the connection', async (t) => {
  const database = await open(t, { poolMax: 1 });
  for (const [name, write] of Object.entries(writesOf(database))) {
    await administer('ALTER SYSTEM RESET default_transaction_read_only', 'SELECT pg_reload_conf()');
    await database.users.count();
    // The server may take a moment to end those that have been closed.
    let [before, ...others] = await connections();
    while (before === undefined || others.length > 0) [before, ...others] = await connections();
    await administer('ALTER SYSTEM SET default_transaction_read_only = on', 'SELECT pg_reload_conf()');
    // Its process may take a moment to read the setting.
    await t.rejects(repeat(write), READ_ONLY, name);
    while ((await connections()).includes(before));
  }
  await administer('ALTER SYSTEM RESET default_transaction_read_only', 'SELECT pg_reload_conf()');
  await database.ping();
});
