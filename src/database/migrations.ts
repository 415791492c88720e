import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  bindMigrationAwareSqlAdapterFactory,
  isDriverAdapterError,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import type { Provider } from './database-url.js';

/** No table or enum of these databases is managed by anybody else. */
export const SCHEMA_FILTER = { externalTables: [], externalEnums: [] };

/** The migrations of one database as they stand in `prisma/migrations/<provider>`, in the engine's own form. */
export async function readMigrations(provider: Provider): Promise<MigrationList> {
  const baseDir = fileURLToPath(new URL(`../../prisma/migrations/${provider}`, import.meta.url));
  const entries = await readdir(baseDir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: await readFile(`${baseDir}/migration_lock.toml`, 'utf8') },
    migrationDirectories: await Promise.all(
      names.sort().map(async (path) => ({
        path,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: await readFile(`${baseDir}/${path}/migration.sql`, 'utf8') },
        },
      })),
    ),
    shadowDbInitScript: '',
  };
}

/**
 * Opens Prisma's schema engine on one database.
 *
 * @param datamodel - the Prisma schema to work from; not needed to apply migrations
 */
export async function openSchemaEngine(
  factory: SqlMigrationAwareDriverAdapterFactory,
  datamodel?: string,
): Promise<SchemaEngine> {
  loading ??= loadSchemaEngine();
  const engine = await loading;
  return engine.SchemaEngine.new(
    { datamodels: datamodel === undefined ? undefined : [['schema.prisma', datamodel]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(factory),
  );
}

// Once a process: the glue keeps views of the first instance's memory, and a second instance would write past them.
let loading: ReturnType<typeof loadSchemaEngine> | undefined;

// What we use of it; the types of Node 20 leave it out.
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: object } }>;
};

/** The package's main entry imports its `.wasm` as a module, which Node does only behind a flag; so load it by hand. */
async function loadSchemaEngine() {
  const engine = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const wasmUrl = new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  // It never clears the timeout of its lock, 10 s, which must not keep the process alive so long.
  const timer = Object.keys(engine).find((name) => name.startsWith('__wbg_setTimeout_')) ?? '';
  const imports = { ...engine, [timer]: (run: () => void, delay: number) => setTimeout(run, delay).unref() };
  const { instance } = await WebAssembly.instantiate(await readFile(wasmUrl), { './schema_engine_bg.js': imports });
  engine.__wbg_set_wasm(instance.exports);
  (instance.exports as { __wbindgen_start(): void }).__wbindgen_start();
  return engine;
}

/**
 * Tells whether a migration is still to be applied, without the schema engine: that takes a moment to load, and on SQLite
 * a lock that nobody else may hold.
 */
export async function hasPendingMigrations(
  provider: Provider,
  factory: SqlMigrationAwareDriverAdapterFactory,
): Promise<boolean> {
  const { migrationDirectories } = await readMigrations(provider);
  const connection = await factory.connect();
  try {
    const { rows } = await connection.queryRaw({
      sql: 'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
      args: [],
      argTypes: [],
    });
    const applied = rows.map(([name]) => name);
    return migrationDirectories.some(({ path }) => !applied.includes(path));
  } catch (error) {
    if (isDriverAdapterError(error) && error.cause.kind === 'TableDoesNotExist') return true;
    throw error;
  } finally {
    await connection.dispose();
  }
}

/**
 * Brings a database up to the newest migration. The engine holds a lock while it works (an advisory lock on PostgreSQL,
 * an exclusive one on the file of SQLite), so instances that start at once wait for one another.
 *
 * @returns the names of the migrations that were applied now
 */
export async function applyMigrations(
  provider: Provider,
  factory: SqlMigrationAwareDriverAdapterFactory,
): Promise<string[]> {
  const connections: SqlDriverAdapter[] = [];
  const engine = await openSchemaEngine({
    provider: factory.provider,
    adapterName: factory.adapterName,
    connectToShadowDb: () => factory.connectToShadowDb(),
    async connect() {
      const connection = await factory.connect();
      connections.push(connection);
      return connection;
    },
  });
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: await readMigrations(provider),
      filters: SCHEMA_FILTER,
    });
    return appliedMigrationNames;
  } finally {
    engine.free();
    // The engine leaves its connection open, and with it the lock.
    await Promise.all(connections.map((connection) => connection.dispose()));
  }
}
