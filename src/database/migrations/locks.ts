import type { Provider } from '../connection/database-url.js';
import type { Migration } from './migrations.js';

/** What a pending migration does to each table, and whom it blocks. It keeps its locks until it ends. */
export type MigrationLocks = {
  name: string;
  tables: TableLock[];
  /** Statements that build indexes while the service runs, to run before the migration. */
  before: string[];
};

/** `lock` and `blocks` are null for a table that is not in use yet. */
export type TableLock = { table: string; changes: string[]; lock: string | null; blocks: string | null };

type Lock = { lock: string; blocks: string };

const ACCESS_EXCLUSIVE = { lock: 'ACCESS EXCLUSIVE', blocks: 'reads and writes' };
const SHARE = { lock: 'SHARE', blocks: 'writes' };
const ROW_EXCLUSIVE = { lock: 'ROW EXCLUSIVE', blocks: 'writes of the same rows' };
/** PostgreSQL's locks. */
const STRONGEST_FIRST = [ACCESS_EXCLUSIVE, SHARE, ROW_EXCLUSIVE];
/** SQLite has one lock for all writes. */
const SQLITE_LOCK = { lock: 'RESERVED', blocks: 'writes to all tables' };

const CREATES = 'creates the table';
/** The kinds of statements that migrations have, and the lock of each on PostgreSQL. */
const KINDS = [
  { begins: /^CREATE TABLE "(?<table>\w+)"/, change: CREATES, lock: ACCESS_EXCLUSIVE },
  { begins: /^ALTER TABLE "(?<table>\w+)" ADD COLUMN /, change: 'adds columns, no rewrite', lock: ACCESS_EXCLUSIVE },
  {
    begins: /^CREATE (UNIQUE )?INDEX (IF NOT EXISTS )?"(?<index>\w+)" ON "(?<table>\w+)"/,
    change: 'builds an index',
    lock: SHARE,
  },
  { begins: /^DROP INDEX "(?<index>\w+)"/, change: 'drops an index', lock: ACCESS_EXCLUSIVE },
  { begins: /^INSERT INTO "(?<table>\w+)"/, change: 'inserts rows', lock: ROW_EXCLUSIVE },
  { begins: /^UPDATE "(?<table>\w+)"/, change: 'updates rows', lock: ROW_EXCLUSIVE },
];
/** Migrations have `IF NOT EXISTS` where the operator may have built the index. */
const MAY_BE_BUILT_BEFORE = /^(CREATE (?:UNIQUE )?INDEX) IF NOT EXISTS /;

type Change = { statement: string; table: string; change: string; lock: Lock };

/**
 * Tells what pending migrations lock, by the kinds of their statements.
 *
 * @param migrations - all of them, in order
 * @param pending - the names of those to describe
 * @throws Error where a statement is of no known kind
 */
export function describeLocks(provider: Provider, migrations: Migration[], pending: string[]): MigrationLocks[] {
  const tableOfIndex = new Map<string, string>();
  const created = new Set<string>();
  const all = migrations.map(({ name, sql }) => ({ name, changes: readChanges(sql, tableOfIndex) }));
  return all
    .filter(({ name }) => pending.includes(name))
    .map(({ name, changes }) => {
      for (const { change, table } of changes) if (change === CREATES) created.add(table);
      const inUse = changes.filter(({ table }) => !created.has(table));
      const locksOf = (table: string) => inUse.filter((change) => change.table === table).map(({ lock }) => lock);
      const tables = [...new Set(changes.map(({ table }) => table))].map((table) => ({
        table,
        changes: [...new Set(changes.filter((each) => each.table === table).map(({ change }) => change))],
        ...strongest(provider, locksOf(table)),
      }));
      return { name, tables, before: provider === 'postgresql' ? inUse.flatMap(statementBefore) : [] };
    });
}

/** @param tableOfIndex - of the statements so far, which are added */
function readChanges(sql: string, tableOfIndex: Map<string, string>): Change[] {
  const statements = sql.replaceAll(/^--.*$/gm, '').split(/;$/m);
  return statements
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .map((statement) => {
      const kind = KINDS.find(({ begins }) => begins.test(statement));
      const { index, table = index && tableOfIndex.get(index) } = kind?.begins.exec(statement)?.groups ?? {};
      if (!kind || !table) throw new Error(`a statement is of no known kind: ${statement}`);
      if (index) tableOfIndex.set(index, table);
      return { statement, table, change: kind.change, lock: kind.lock };
    });
}

function strongest(provider: Provider, locks: Lock[]): Pick<TableLock, 'lock' | 'blocks'> {
  if (locks.length === 0) return { lock: null, blocks: null };
  if (provider === 'sqlite') return SQLITE_LOCK;
  return STRONGEST_FIRST.find((lock) => locks.includes(lock)) ?? ACCESS_EXCLUSIVE;
}

function statementBefore({ statement }: Change): string[] {
  if (!MAY_BE_BUILT_BEFORE.test(statement)) return [];
  return [`${statement.replace(MAY_BE_BUILT_BEFORE, '$1 CONCURRENTLY IF NOT EXISTS ')};`];
}
