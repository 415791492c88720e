import type { Database, Statement } from 'better-sqlite3';
import type { Pool } from 'pg';
import type { Sql } from 'sql-template-tag';

/**
 * SQL that goes straight to the driver: on the way of a login, what is between it and Prisma's client costs more than the
 * database. A query is prepared once and kept; there are few, and each has one text.
 */
export type Queries = {
  /** Returns rows of values in the order of the columns; what is wider than a double may be a bigint or a string. */
  query(sql: Pick<Sql, 'sql' | 'text' | 'values'>): Promise<unknown[][]>;
  /** Returns how many rows were changed. */
  execute(sql: Sql): Promise<number>;
};

export function createSqliteQueries(database: Database): Queries {
  const prepared = new Map<string, Statement<unknown[], unknown[]>>();
  function prepare(text: string) {
    const statement = database.prepare<unknown[], unknown[]>(text).raw();
    prepared.set(text, statement);
    return statement;
  }
  return {
    query: async ({ sql, values }) => (prepared.get(sql) ?? prepare(sql)).all(values),
    execute: async ({ sql, values }) => database.prepare(sql).run(values).changes,
  };
}

/** @param prepares - whether a query may be prepared by name, for which the connection has to stay the same */
export function createPostgresqlQueries(pool: Pool, prepares: boolean): Queries {
  const names = new Map<string, string>();
  function nameOf(text: string): string {
    const name = names.get(text) ?? `sessions_${names.size}`;
    names.set(text, name);
    return name;
  }
  return {
    async query({ text, values }) {
      const name = prepares ? nameOf(text) : undefined;
      return (await pool.query<unknown[]>({ name, text, values, rowMode: 'array' })).rows;
    },
    execute: async ({ text, values }) => (await pool.query(text, values)).rowCount ?? 0,
  };
}
