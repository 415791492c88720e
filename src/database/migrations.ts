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

/** No table or enum is managed elsewhere. */
export const SCHEMA_FILTER = { externalTables: [], externalEnums: [] };

/** The migrations in `prisma/migrations/<provider>`, in the engine's form. */
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

// The types of Node 20 lack it.
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
 * Whether a migration is pending, without the schema engine: that is slow to load, and takes an exclusive lock on SQLite.
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
 * Applies pending migrations. The engine holds a lock (PostgreSQL: advisory, SQLite: on the file), so instances that start at
 * once wait for each other.
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
