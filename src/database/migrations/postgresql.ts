import type { Client } from 'pg';
import { ConfigError } from '../../errors/config-error.js';
import { CLOCK_SQL, warningOf } from '../clock.js';
import { refuseReadOnly } from '../connection/client.js';
import { findPeppers } from '../find-peppers.js';
import { applyMigrations, pendingMigrations, type Row } from './migrations.js';

/** Milliseconds for a connection. */
const CONNECTION_TIMEOUT = 5_000;

export const migratePostgresql = (href: string, warn: (message: string) => void) =>
  withPostgresql(href, async (client) => {
    const query = queryOn(client);
    warnIfClear(client, warn);
    await checkEncoding(query, warn);
    return applyMigrations('postgresql', { run: (script) => client.query(script), query });
  });

/** What migratePostgresql would find; changes nothing. */
export const inspectPostgresql = (href: string, warn: (message: string) => void) =>
  withPostgresql(href, async (client) => {
    const query = queryOn(client);
    warnIfClear(client, warn);
    await refuseReadOnly(client);
    await client.query('BEGIN READ ONLY');
    const clock = await warningOf(Date.now, async () => Number((await query(CLOCK_SQL))[0]?.now));
    if (clock) warn(clock);
    await checkEncoding(query, warn);
    const pending = await pendingMigrations('postgresql', { query });
    const peppers = pending.length === 0 ? await findPeppers(query) : undefined;
    if (pending.length > 0) await refuseWithoutRights(query);
    return { pending, peppers, encrypted: client.ssl !== false };
  });

/** The password, digests and emails go over a network that others may read. */
function warnIfClear({ ssl, host }: Client, warn: (message: string) => void): void {
  // A path is that of a socket.
  const isHere = /^(\/|127\.|::1$|localhost$)/.test(host);
  if (!ssl && !isHere)
    warn(`the connection to PostgreSQL at ${host} is not encrypted: add sslmode=verify-full to DATABASE_URL`);
}

/** As PostgreSQL would refuse the first migration. */
async function refuseWithoutRights(query: (sql: string) => Promise<Row[]>): Promise<void> {
  const [row] = await query(
    "SELECT current_schema() AS schema, has_schema_privilege(current_schema(), 'CREATE') AS may_create",
  );
  if (row?.may_create !== true)
    throw Object.assign(new Error(`permission denied for schema ${row?.schema}`), { code: '42501' });
}

const queryOn = (client: Client) => async (sql: string) => (await client.query<Row>(sql)).rows;

async function withPostgresql<T>(href: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { default: pg } = await import('pg');
  // No statement timeout: a migration may take long.
  const client = new pg.Client({ connectionString: href, connectionTimeoutMillis: CONNECTION_TIMEOUT });
  // The query that it breaks fails too.
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Emails may have any character of Unicode. */
async function checkEncoding(query: (sql: string) => Promise<Row[]>, warn: (message: string) => void): Promise<void> {
  const [row] = await query('SHOW server_encoding');
  const encoding = row?.server_encoding;
  if (encoding === 'SQL_ASCII') warn('the database has the encoding SQL_ASCII, which checks no text: use UTF8');
  else if (encoding !== 'UTF8')
    throw new ConfigError([`DATABASE_URL: the database has the encoding ${encoding}, and must have UTF8`]);
}
