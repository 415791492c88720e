import type { SqlQueryable } from '@prisma/driver-adapter-utils';
import type { Sql } from 'sql-template-tag';

/** SQL that goes past Prisma's client: on the way of a login its query compiler would cost more than the database. */
export type Queries = {
  /** Returns rows of values in the order of the columns; what is wider than a double is a string. */
  query(sql: Sql): Promise<unknown[][]>;
  /** Returns how many rows were changed. */
  execute(sql: Sql): Promise<number>;
};

export function createQueries(connection: SqlQueryable): Queries {
  const spelled = connection.provider === 'sqlite' ? ({ sql }: Sql) => sql : ({ text }: Sql) => text;
  const bind = (sql: Sql) => ({
    sql: spelled(sql),
    args: sql.values,
    argTypes: sql.values.map(() => ({ scalarType: 'unknown', arity: 'scalar' }) as const),
  });
  return {
    query: async (sql) => (await connection.queryRaw(bind(sql))).rows,
    execute: (sql) => connection.executeRaw(bind(sql)),
  };
}
