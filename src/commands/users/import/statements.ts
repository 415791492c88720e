import type { Provider } from '../../../database/database-url.js';

/**
 * The statements of a batch. Rows go in as one JSON array, so that a statement is the same for every batch; a row is an
 * array of id, email, password_digest, disabled_at, created_at, updated_at.
 */
export type BatchSql = {
  /** Keeps other writers out until the transaction ends. */
  lock: string;
  /** The users with one of the ids, or one of the emails; each a JSON array. */
  find: string;
  /** The largest id that was ever given, as far as the database knows. */
  lastId: string;
  insert: string;
  /** Changes the users with the ids of the rows. */
  update: string;
  /** Gives the user with the last parameter's id another id and email, and all that is in the row. */
  rekey: string;
  /** Lets new ids follow this one, if they don't yet. */
  followId?: string;
};

const COLUMNS = 'id, email, password_digest, disabled_at, created_at, updated_at';

const SQLITE_ROWS = `SELECT value->>0 AS id, value->>1 AS email, value->>2 AS password_digest,
  value->>3 AS disabled_at, value->>4 AS created_at, value->>5 AS updated_at FROM json_each(?)`;

const SQLITE: BatchSql = {
  // A transaction that reads before it writes can't wait for another writer.
  lock: 'DELETE FROM users WHERE false',
  find: `SELECT ${COLUMNS} FROM users WHERE id IN (SELECT value FROM json_each(?))
    UNION SELECT ${COLUMNS} FROM users WHERE email IN (SELECT value FROM json_each(?))`,
  lastId: `SELECT max(coalesce((SELECT max(id) FROM users), 0),
    coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'users'), 0))`,
  insert: `INSERT INTO users (${COLUMNS}) ${SQLITE_ROWS}`,
  update: `UPDATE users SET password_digest = rows.password_digest, disabled_at = rows.disabled_at,
    created_at = rows.created_at, updated_at = rows.updated_at FROM (${SQLITE_ROWS}) AS rows WHERE users.id = rows.id`,
  rekey: `UPDATE users SET id = rows.id, email = rows.email, password_digest = rows.password_digest,
    disabled_at = rows.disabled_at, created_at = rows.created_at, updated_at = rows.updated_at
    FROM (${SQLITE_ROWS}) AS rows WHERE users.id = ?`,
};

const POSTGRESQL_ROWS = `SELECT (value->>0)::int AS id, value->>1 AS email, value->>2 AS password_digest,
  (value->>3)::timestamp AS disabled_at, (value->>4)::timestamp AS created_at, (value->>5)::timestamp AS updated_at
  FROM json_array_elements($1::json)`;
const SEQUENCE = `pg_get_serial_sequence('users', 'id')::regclass`;
const SEQUENCE_VALUE = `coalesce(pg_sequence_last_value(${SEQUENCE}), 0)`;

const POSTGRESQL: BatchSql = {
  lock: 'LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE',
  find: `SELECT ${COLUMNS} FROM users WHERE id IN (SELECT value::int FROM json_array_elements_text($1::json))
    UNION SELECT ${COLUMNS} FROM users WHERE email IN (SELECT value FROM json_array_elements_text($2::json))`,
  lastId: `SELECT greatest(coalesce(max(id), 0), ${SEQUENCE_VALUE}) FROM users`,
  insert: `INSERT INTO users (${COLUMNS}) ${POSTGRESQL_ROWS}`,
  update: `UPDATE users SET password_digest = rows.password_digest, disabled_at = rows.disabled_at,
    created_at = rows.created_at, updated_at = rows.updated_at FROM (${POSTGRESQL_ROWS}) AS rows WHERE users.id = rows.id`,
  rekey: `UPDATE users SET id = rows.id, email = rows.email, password_digest = rows.password_digest,
    disabled_at = rows.disabled_at, created_at = rows.created_at, updated_at = rows.updated_at
    FROM (${POSTGRESQL_ROWS}) AS rows WHERE users.id = $2::int`,
  followId: `SELECT setval(${SEQUENCE}, $1::bigint) WHERE $1::bigint > ${SEQUENCE_VALUE}`,
};

export const BATCH_SQL: { [Name in Provider]: BatchSql } = {
  sqlite: SQLITE,
  postgresql: POSTGRESQL,
};
