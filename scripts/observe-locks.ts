import type { Client } from 'pg';
import type { TableLock } from '#built/database/migrations/locks.js';

/** Each table, and the strongest lock that this transaction holds on it for more than reading. */
const TABLES = `SELECT relname AS table, relfilenode AS file,
  (SELECT count(*)::int FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0) AS columns,
  ARRAY(SELECT indexrelid::int FROM pg_index WHERE indrelid = pg_class.oid AND NOT indisprimary) AS indexes,
  (SELECT mode FROM pg_locks WHERE relation = pg_class.oid AND pid = pg_backend_pid() AND mode <> 'AccessShareLock'
    ORDER BY array_position(ARRAY['AccessExclusiveLock', 'ShareLock', 'RowExclusiveLock'], mode) NULLS FIRST LIMIT 1) AS mode
  FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname`;

type Table = { table: string; file: number; columns: number; indexes: number[]; mode: string | null };

/** Runs a migration on PostgreSQL, and tells what it does to each table. Of changed rows it sees the lock only. */
export async function observeLocks(client: Client, sql: string): Promise<TableLock[]> {
  const tables = async () => (await client.query<Table>(TABLES)).rows;
  const before = new Map((await tables()).map((row) => [row.table, row]));
  await client.query(`BEGIN; ${sql}`);
  const after = await tables();
  await client.query('COMMIT');
  const gone = [...before.keys()].filter((table) => !after.some((found) => found.table === table));
  if (gone.length > 0) throw new Error(`${gone.join(', ')}: describe by hand what becomes of it`);
  return after.flatMap((found) => {
    const { table, mode } = found;
    if (mode === null) return [];
    const old = before.get(table);
    const lock = old && lockNamed(mode);
    const changes = changesOf(found, old);
    if (changes.length === 0 && lock !== 'ROW EXCLUSIVE')
      throw new Error(`${table}: describe by hand why it takes ${lock}`);
    return { table, changes, ...(lock && { lock }) };
  });
}

function changesOf(found: Table, old: Table | undefined): string[] {
  const { columns, indexes, file }: Table = old ?? { ...found, indexes: [] };
  return [
    ...(old ? [] : ['creates the table']),
    ...(found.columns > columns ? ['adds columns, no rewrite'] : []),
    ...(found.file === file ? [] : ['rewrites the table']),
    ...(indexes.every((index) => found.indexes.includes(index)) ? [] : ['drops an index']),
    ...(found.indexes.every((index) => indexes.includes(index)) ? [] : ['builds an index']),
  ];
}

/** The name in SQL of a mode of `pg_locks`. */
function lockNamed(mode: string): NonNullable<TableLock['lock']> {
  if (mode === 'AccessExclusiveLock') return 'ACCESS EXCLUSIVE';
  if (mode === 'ShareLock') return 'SHARE';
  if (mode === 'RowExclusiveLock') return 'ROW EXCLUSIVE';
  throw new Error(`src/database/migrations/locks.ts does not say what ${mode} blocks`);
}
