/** Writes the migrations that a change of prisma/schema.prisma needs, for both databases, and what they lock. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import type { Provider } from '#built/database/connection/database-url.js';
import type { TableLock } from '#built/database/migrations/locks.js';
import { type Migration, readMigrations } from '#built/database/migrations/migrations.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { observeLocks } from './observe-locks.js';
import { readModels, schemaDiff } from './schema-diff.js';

const [name = ''] = process.argv.slice(2);
if (!/^[a-z0-9_]+$/.test(name)) {
  console.error('NAME has to be lower-case letters, digits and _: npm run migration -- NAME');
  process.exit(64);
}
const directory = `${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)}_${name}`;

const written = new Map<Provider, URL>();

async function write(provider: Provider, factory: SqlMigrationAwareDriverAdapterFactory): Promise<string> {
  const sql = await schemaDiff(provider, factory, await readModels());
  if (sql === '') {
    console.log(`${provider}: the migrations make what the models say`);
    return sql;
  }
  const path = `prisma/migrations/${provider}/${directory}`;
  const url = new URL(`../${path}/`, import.meta.url);
  await mkdir(url);
  await writeFile(new URL('migration.sql', url), sql);
  written.set(provider, url);
  console.log(`${provider}: wrote ${path}/migration.sql and locks.json; read both before you commit them`);
  return sql;
}

/** Runs all migrations on an empty database, and writes the locks of the new one. SQLite has one lock for all writes. */
async function writeLocks(url: string, earlier: Migration[], sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  let locks: TableLock[];
  try {
    // Where the schema engine leaves what it has made.
    await client.query('CREATE SCHEMA observed; SET search_path TO observed');
    for (const migration of earlier) await client.query(migration.sql);
    locks = await observeLocks(client, sql);
  } finally {
    await client.end();
  }
  for (const [provider, directory] of written) {
    const described = locks.map((table) =>
      provider === 'sqlite' && table.lock ? { ...table, lock: 'RESERVED' } : table,
    );
    await writeFile(new URL('locks.json', directory), `${JSON.stringify(described, undefined, 2)}\n`);
  }
}

const earlier = readMigrations('postgresql');
const scratch = await mkdtemp(`${tmpdir()}/sessions-api-`);
await write('sqlite', new PrismaBetterSqlite3({ url: `${scratch}/scratch.db` }));
await rm(scratch, { recursive: true });

const postgresql = await startTemporaryPostgresql();
try {
  const sql = await write('postgresql', new PrismaPg({ connectionString: postgresql.url }));
  await writeLocks(postgresql.url, earlier, sql);
} finally {
  await postgresql.stop();
}
