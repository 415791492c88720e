import type { Database } from 'better-sqlite3';
import type { Pool } from 'pg';
import type { Sql } from 'sql-template-tag';

/** SQL for the driver: at a login, Prisma's client costs more than the database. */
export type Queries = {
  /**
   * Prepares a query, so that it is parsed and planned once.
   *
   * @param sql - its values are placeholders
   */
  prepare(sql: Sql): Query;
  execute: Execute;
};

/** Returns how many rows were changed. */
export type Execute = (sql: Sql) => Promise<number>;

/** Returns rows of values in the order of the columns; a 64-bit integer may be a bigint or a string. */
export type Query = (values: unknown[]) => Promise<unknown[][]>;

export function createSqliteQueries(database: Database): Queries {
  return {
    prepare({ sql }) {
      const statement = database.prepare<unknown[], unknown[]>(sql).raw();
      return async (values) => statement.all(values);
    },
    execute: async ({ sql, values }) => database.prepare(sql).run(values).changes,
  };
}

/** @param byName - whether to use named prepared statements, which need the same server connection */
export function createPostgresqlQueries(pool: Pool, byName: boolean): Queries {
  let prepared = 0;
  return {
    prepare({ text }) {
      const name = byName ? `sessions_${prepared++}` : undefined;
      return async (values) => (await pool.query<unknown[]>({ name, text, values, rowMode: 'array' })).rows;
    },
    execute: async ({ text, values }) => (await pool.query(text, values)).rowCount ?? 0,
  };
}
