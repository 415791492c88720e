import type { Database } from 'better-sqlite3';
import type { Pool } from 'pg';
import type { Sql } from 'sql-template-tag';

/**
 * SQL that goes straight to the driver: on the way of a login, what is between it and Prisma's client costs more than the
 * database.
 */
export type Queries = {
  /**
   * Makes ready a query that is asked over and over, so that it is put together, parsed and planned once.
   *
   * @param sql - its values only hold the places of those to come
   */
  prepare(sql: Sql): Query;
  /** Returns how many rows were changed. */
  execute(sql: Sql): Promise<number>;
};

/** Returns rows of values in the order of the columns; what is wider than a double may be a bigint or a string. */
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

/** @param byName - whether a query may be prepared by name, for which the connection has to stay the same */
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
