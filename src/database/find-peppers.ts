import { raw } from 'sql-template-tag';
import type { RunQuery } from './connection/run-query.js';

/** What is known of the peppers that bcrypt read. */
export type StoredPeppers = {
  /** Of their names; it differs from database to database. */
  salt: string;
  /** The names that digests have, each once. */
  names: string[];
};

/** Throws DatabaseUnavailable. */
export type FindPeppers = () => Promise<StoredPeppers>;

/** Steps from name to name in the index: DISTINCT would read all of it. Earlier versions leave the name beside a digest without pepper. */
const SQL = `WITH RECURSIVE found(pepper) AS (
    SELECT CAST('' AS TEXT) UNION ALL
    SELECT (SELECT users.pepper FROM users WHERE users.peppered AND users.password_digest LIKE '$2%'
      AND users.pepper > found.pepper ORDER BY users.pepper LIMIT 1)
    FROM found WHERE found.pepper IS NOT NULL
  )
  SELECT secrets.value AS salt, found.pepper FROM secrets LEFT JOIN found ON found.pepper <> ''
  WHERE secrets.name = 'pepper'`;

type Row = { [column: string]: unknown };

export function createFindPeppers(runQuery: RunQuery): FindPeppers {
  const query = { operation: 'SELECT', table: 'users' };
  return () => findPeppers((sql) => runQuery(query, (client) => client.$queryRaw<Row[]>(raw(sql))));
}

/** @param query - of a database whose migrations have been applied */
export async function findPeppers(query: (sql: string) => Promise<Row[]>): Promise<StoredPeppers> {
  const rows = await query(SQL);
  const [first] = rows;
  if (!first) throw new Error('the table secrets has no salt of peppers');
  return { salt: String(first.salt), names: rows.flatMap(({ pepper }) => (pepper === null ? [] : String(pepper))) };
}
