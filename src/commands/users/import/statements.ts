import type { Provider } from '../../../database/connection/database-url.js';

/**
 * The statements of a batch. Rows are one JSON array, so that a statement does not depend on their number; a row is an
 * array of the columns' values.
 */
export type BatchSql = {
  /** Keeps other writers out until the transaction ends. */
  lock: string;
  /** The users with one of the ids, or one of the emails; each a JSON array. */
  find: string;
  /** The largest id ever assigned, deleted users included. */
  lastId: string;
  insert: string;
  /** Updates the users with the ids of the rows. */
  update: string;
  /** Updates the user with the id in the last parameter, with the id and the email of the row too. */
  rekey: string;
  /** Raises the sequence of ids to an id, in the transaction: `setval` would stay where an import is killed. */
  followId?: (id: number) => string;
};

const COLUMNS = 'id, email, password_digest, peppered, disabled_at, created_at, updated_at';
const VALUES = `password_digest = rows.password_digest, peppered = rows.peppered, disabled_at = rows.disabled_at,
    created_at = rows.created_at, updated_at = rows.updated_at`;

/** The statements that differ in how a database reads JSON. */
function statementsOver({ rows, ids, emails, id }: { rows: string; ids: string; emails: string; id: string }) {
  return {
    find: `SELECT ${COLUMNS} FROM users WHERE id IN (${ids})
      UNION SELECT ${COLUMNS} FROM users WHERE email IN (${emails})`,
    insert: `INSERT INTO users (${COLUMNS}) ${rows}`,
    update: `UPDATE users SET ${VALUES} FROM (${rows}) AS rows WHERE users.id = rows.id`,
    rekey: `UPDATE users SET id = rows.id, email = rows.email, ${VALUES} FROM (${rows}) AS rows WHERE users.id = ${id}`,
  };
}

/** Null in a dry run, whose table has none. */
const SEQUENCE = `pg_get_serial_sequence('users', 'id')::regclass`;
const SEQUENCE_VALUE = `coalesce(pg_sequence_last_value(${SEQUENCE}), 0)`;

export const BATCH_SQL: { [Name in Provider]: BatchSql } = {
  sqlite: {
    // A transaction that reads before it writes can't wait for another writer.
    lock: 'DELETE FROM users WHERE false',
    lastId: `SELECT max(coalesce((SELECT max(id) FROM users), 0),
      coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'users'), 0))`,
    ...statementsOver({
      rows: `SELECT value->>0 AS id, value->>1 AS email, value->>2 AS password_digest,
        value->>3 AS peppered, value->>4 AS disabled_at, value->>5 AS created_at, value->>6 AS updated_at
        FROM json_each(?)`,
      ids: 'SELECT value FROM json_each(?)',
      emails: 'SELECT value FROM json_each(?)',
      id: '?',
    }),
  },
  postgresql: {
    lock: 'LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE',
    lastId: `SELECT greatest(coalesce(max(id), 0), ${SEQUENCE_VALUE}) FROM users`,
    followId: (id) => `DO $$ BEGIN
      IF ${SEQUENCE} IS NOT NULL AND ${id} > ${SEQUENCE_VALUE} THEN
        EXECUTE format('ALTER SEQUENCE %s RESTART WITH ${id}', ${SEQUENCE});
        PERFORM nextval(${SEQUENCE});
      END IF;
    END $$`,
    ...statementsOver({
      rows: `SELECT (value->>0)::int AS id, value->>1 AS email, value->>2 AS password_digest,
        (value->>3)::boolean AS peppered, (value->>4)::timestamp AS disabled_at,
        (value->>5)::timestamp AS created_at, (value->>6)::timestamp AS updated_at FROM json_array_elements($1::json)`,
      ids: 'SELECT value::int FROM json_array_elements_text($1::json)',
      emails: 'SELECT value FROM json_array_elements_text($2::json)',
      id: '$2::int',
    }),
  },
};
