import { readFileSync } from 'node:fs';
import type { Provider } from '../connection/database-url.js';
import { directoryOf } from './migrations.js';

/** What a pending migration does to each table, and what it blocks. It keeps its locks until it ends. */
export type MigrationLocks = {
  name: string;
  /** `lock` and `blocks` are null for a table that is not in use yet. */
  tables: { table: string; changes: string[]; lock: string | null; blocks: string | null }[];
  /** Statements that build indexes while the service runs, to run before the migration. */
  before: string[];
};

/** What a migration does to a table, as `npm run migration` writes it to `locks.json` beside `migration.sql`. */
export type TableLock = {
  table: string;
  changes: string[];
  /** The strongest one. None on a table that the migration creates. */
  lock?: keyof typeof BLOCKS;
  /** Statements for the operator: see MigrationLocks. */
  before?: string[];
};

/** Locks of PostgreSQL, and the one that SQLite has for all writes. */
const BLOCKS = {
  'ACCESS EXCLUSIVE': 'reads and writes',
  SHARE: 'writes',
  'ROW EXCLUSIVE': 'writes of the same rows',
  RESERVED: 'writes to all tables',
};

/** @param pending - names of migrations, in order */
export function describeLocks(provider: Provider, pending: string[]): MigrationLocks[] {
  const created = new Set<string>();
  return pending.map((name) => {
    const locks = readLocks(provider, name);
    for (const { table, lock } of locks) if (lock === undefined) created.add(table);
    return {
      name,
      tables: locks.map(({ table, changes, lock }) =>
        lock === undefined || created.has(table)
          ? { table, changes, lock: null, blocks: null }
          : { table, changes, lock, blocks: BLOCKS[lock] },
      ),
      before: locks.flatMap(({ table, before = [] }) => (created.has(table) ? [] : before)),
    };
  });
}

/** @throws Error where a migration has no `locks.json` */
export function readLocks(provider: Provider, name: string): TableLock[] {
  return JSON.parse(readFileSync(new URL(`${name}/locks.json`, directoryOf(provider)), 'utf8'));
}
