/** Writes the migrations that a change of prisma/schema.prisma needs, for both databases. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { Provider } from '#built/database/connection/database-url.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { readModels, schemaDiff } from './schema-diff.js';

const [name = ''] = process.argv.slice(2);
if (!/^[a-z0-9_]+$/.test(name)) {
  console.error('NAME has to be lower-case letters, digits and _: npm run migration -- NAME');
  process.exit(64);
}
const directory = `${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)}_${name}`;

async function write(provider: Provider, factory: SqlMigrationAwareDriverAdapterFactory): Promise<void> {
  const sql = await schemaDiff(provider, factory, await readModels());
  if (sql === '') return console.log(`${provider}: the migrations make what the models say`);
  const path = `prisma/migrations/${provider}/${directory}`;
  const url = new URL(`../${path}/`, import.meta.url);
  await mkdir(url);
  await writeFile(new URL('migration.sql', url), sql);
  console.log(`${provider}: wrote ${path}/migration.sql; read it before you commit it`);
}

const scratch = await mkdtemp(`${tmpdir()}/sessions-api-`);
await write('sqlite', new PrismaBetterSqlite3({ url: `${scratch}/scratch.db` }));
await rm(scratch, { recursive: true });

const postgresql = await startTemporaryPostgresql();
await write('postgresql', new PrismaPg({ connectionString: postgresql.url })).finally(() => postgresql.stop());
