import sql, { raw, type Sql } from 'sql-template-tag';
import type { Provider } from '../connection/database-url.js';

/**
 * The statements of a batch. Rows are one JSON array, so that a statement does not depend on their number; a row is an
 * array of the columns' values.
 */
export type BatchSql = {
  /** Keeps other writers out until the transaction ends. */
  lock: Sql;
  /** The users with one of the ids, or one of the emails; each a JSON array. */
  find(ids: string, emails: string): Sql;
  /** The largest id ever assigned, deleted users included. */
  lastId: Sql;
  insert(rows: string): Sql;
  /** Changes the id and the email of a user. */
  rekey(user: { oldId: number; id: number; email: string }): Sql;
  /** Updates the users with the ids of the rows. */
  update(rows: string): Sql;
  /** Raises the sequence of ids to an id, in the transaction: `setval` would stay where an import is killed. */
  followId?(id: number): Sql;
};

const COLUMNS = raw(
  'id, email, email_confirmed_at, password_digest, peppered, pepper, disabled_at, created_at, updated_at, sessions_epoch',
);

/** The statements that differ in how a database reads JSON. */
function statementsOver(rowsIn: (json: string) => Sql, valuesIn: (json: string) => Sql) {
  return {
    find: (ids: string, emails: string) => sql`
      SELECT ${COLUMNS} FROM users WHERE id IN (SELECT CAST(value AS INTEGER) FROM ${valuesIn(ids)})
      UNION SELECT ${COLUMNS} FROM users WHERE email IN (SELECT value FROM ${valuesIn(emails)})`,
    insert: (rows: string) => sql`INSERT INTO users (${COLUMNS}) ${rowsIn(rows)}`,
    rekey: ({ oldId, id, email }: { oldId: number; id: number; email: string }) =>
      sql`UPDATE users SET id = ${id}, email = ${email}, version = version + 1 WHERE id = ${oldId}`,
    update: (rows: string) => sql`
      UPDATE users SET email_confirmed_at = rows.email_confirmed_at, password_digest = rows.password_digest,
        peppered = rows.peppered, pepper = rows.pepper, disabled_at = rows.disabled_at, created_at = rows.created_at,
        updated_at = rows.updated_at, sessions_epoch = rows.sessions_epoch, version = users.version + 1
      FROM (${rowsIn(rows)}) AS rows WHERE users.id = rows.id`,
  };
}

/** Null in a rehearsal, whose table has none. */
const SEQUENCE = `pg_get_serial_sequence('users', 'id')::regclass`;
const SEQUENCE_VALUE = `coalesce(pg_sequence_last_value(${SEQUENCE}), 0)`;

export const BATCH_SQL: { [Name in Provider]: BatchSql } = {
  sqlite: {
    // A transaction that reads before it writes can't wait for another writer.
    lock: sql`DELETE FROM users WHERE false`,
    lastId: sql`SELECT max(coalesce((SELECT max(id) FROM users), 0),
      coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'users'), 0)) AS id`,
    ...statementsOver(
      (json) => sql`SELECT value->>0 AS id, value->>1 AS email, value->>2 AS email_confirmed_at,
        value->>3 AS password_digest, value->>4 AS peppered, value->>5 AS pepper, value->>6 AS disabled_at,
        value->>7 AS created_at, value->>8 AS updated_at, value->>9 AS sessions_epoch
        FROM json_each(${json})`,
      (json) => sql`json_each(${json})`,
    ),
  },
  postgresql: {
    lock: sql`LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE`,
    lastId: raw(`SELECT greatest(coalesce(max(id), 0), ${SEQUENCE_VALUE}) AS id FROM users`),
    followId: (id) =>
      raw(`DO $$ BEGIN
        IF ${SEQUENCE} IS NOT NULL AND ${id} > ${SEQUENCE_VALUE} THEN
          EXECUTE format('ALTER SEQUENCE %s RESTART WITH ${id}', ${SEQUENCE});
          PERFORM nextval(${SEQUENCE});
        END IF;
      END $$`),
    ...statementsOver(
      (json) => sql`SELECT (value->>0)::int AS id, value->>1 AS email, (value->>2)::timestamp AS email_confirmed_at,
        value->>3 AS password_digest, (value->>4)::boolean AS peppered, value->>5 AS pepper,
        (value->>6)::timestamp AS disabled_at, (value->>7)::timestamp AS created_at,
        (value->>8)::timestamp AS updated_at, value->>9 AS sessions_epoch
        FROM json_array_elements(${json}::json)`,
      (json) => sql`json_array_elements_text(${json}::json)`,
    ),
  },
};
