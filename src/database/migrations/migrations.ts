import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { formatTimestamp } from '../../text/timestamp.js';
import type { Provider } from '../connection/database-url.js';

export type MigrateOptions = {
  /** Called with each warning. */
  warn?: (message: string) => void;
  /** Whether an SQLite file that is missing is created. */
  mayCreate?: boolean;
  /** Called with the path of an SQLite file that was created. */
  onCreated?: (file: string) => void;
};

export type Row = { [column: string]: unknown };

const FOREIGN = 'the database has tables, but no migrations';

/** A driver's connection. Closing it rolls back what is not committed. */
export type Session = { run(script: string): Promise<unknown>; query(sql: string): Promise<Row[]> };

/** `createRecords` makes the same table as Prisma's schema engine. */
const DIALECTS = {
  sqlite: {
    begin: 'BEGIN IMMEDIATE',
    listTables: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    createRecords: `CREATE TABLE IF NOT EXISTS _prisma_migrations (id TEXT PRIMARY KEY NOT NULL, checksum TEXT NOT NULL,
      finished_at DATETIME, migration_name TEXT NOT NULL, logs TEXT, rolled_back_at DATETIME,
      started_at DATETIME NOT NULL DEFAULT current_timestamp, applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0)`,
  },
  postgresql: {
    // Prisma's lock, which earlier versions take too. READ COMMITTED, to see what its last holder committed.
    begin: `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s';
      SELECT pg_advisory_xact_lock(72707369); SET LOCAL lock_timeout TO DEFAULT`,
    listTables: 'SELECT tablename AS name FROM pg_tables WHERE schemaname = ANY (current_schemas(false))',
    createRecords: `CREATE TABLE IF NOT EXISTS _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL,
      checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT,
      rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`,
  },
};

export type Migration = { name: string; sql: string };

export function directoryOf(provider: Provider): URL {
  return new URL(`../../../prisma/migrations/${provider}/`, import.meta.url);
}

/** The migrations of a provider, in order. */
export function readMigrations(provider: Provider): Migration[] {
  const directory = directoryOf(provider);
  const names = readdirSync(directory).filter((name) => /^\d{14}_/.test(name));
  return names.sort().map((name) => ({ name, sql: readFileSync(new URL(`${name}/migration.sql`, directory), 'utf8') }));
}

/** The names of the migrations that are not applied; reads only. */
export async function pendingMigrations(provider: Provider, session: Pick<Session, 'query'>): Promise<string[]> {
  const names = readMigrations(provider).map(({ name }) => name);
  const tables = (await session.query(DIALECTS[provider].listTables)).map(({ name }) => name);
  if (!tables.includes('_prisma_migrations')) {
    if (tables.length > 0) throw new ExpectedError(FOREIGN, EXIT.CONFIG);
    return names;
  }
  const applied = await session.query(
    'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  return names.filter((name) => !applied.some(({ migration_name }) => migration_name === name));
}

/**
 * Applies pending migrations, each in one transaction with its record. Other records are a newer version's.
 *
 * @returns the names of the migrations that were applied now
 * @throws ExpectedError where the database contradicts a migration
 */
export async function applyMigrations(provider: Provider, session: Session): Promise<string[]> {
  const { begin, listTables, createRecords } = DIALECTS[provider];
  const applied: string[] = [];
  for (const { name, sql } of readMigrations(provider)) {
    const checksum = createHash('sha256').update(sql).digest('hex');
    const records = `FROM _prisma_migrations WHERE migration_name = '${name}' AND rolled_back_at IS NULL`;
    const readRecord = async () => {
      const tables = (await session.query(listTables)).map((table) => table.name);
      const hasRecords = tables.includes('_prisma_migrations');
      if (!hasRecords && tables.length > 0) throw new ExpectedError(FOREIGN, EXIT.CONFIG);
      const [record] = hasRecords ? await session.query(`SELECT checksum, finished_at ${records}`) : [];
      const isEdited = record && record.checksum !== checksum;
      if (isEdited)
        throw new ExpectedError(`migration ${name} differs from the one that was applied: other checksum`, EXIT.CONFIG);
      return record;
    };
    // Checked first without the lock, so an instance with nothing pending does not wait for another's migration.
    if ((await readRecord())?.finished_at) continue;
    await session.run(begin);
    const record = await readRecord();
    if (!record?.finished_at) {
      if (record) throw new ExpectedError(unfinished(name), EXIT.CONFIG);
      const startedAt = formatTimestamp(Date.now());
      await session.run(`${createRecords}; DELETE ${records}; ${sql}`);
      await session.run(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
        VALUES ('${randomUUID()}', '${checksum}', '${name}', '${startedAt}', '${formatTimestamp(Date.now())}', 1)`,
      );
      // With the keys off, SQLite checks none by itself.
      const breaksKeys = provider === 'sqlite' && (await session.query('PRAGMA foreign_key_check')).length > 0;
      if (breaksKeys) throw new ExpectedError(`migration ${name} breaks foreign keys`, EXIT.CONFIG);
      applied.push(name);
    }
    await session.run('COMMIT');
  }
  return applied;
}

const unfinished = (name: string) =>
  `migration ${name} was begun but not finished, and may be applied in part: undo what it did and delete its record from ` +
  '_prisma_migrations, or do the rest and set finished_at there';
