/** Prisma's schema engine: compares the migrations with the models, and applies them where the service must agree with it. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import type { Provider } from '#built/database/connection/database-url.js';
import { readMigrations } from '../src/database/migrations/migrations.js';

/** No table or enum is managed elsewhere. */
export const SCHEMA_FILTER = { externalTables: [], externalEnums: [] };

/** The migrations in `prisma/migrations/<provider>`, in the engine's form. */
export async function listMigrations(provider: Provider): Promise<MigrationList> {
  const baseDir = fileURLToPath(new URL(`../prisma/migrations/${provider}`, import.meta.url));
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: await readFile(`${baseDir}/migration_lock.toml`, 'utf8') },
    migrationDirectories: readMigrations(provider).map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
    shadowDbInitScript: '',
  };
}

/** Applies pending migrations as `prisma migrate deploy` does, and returns their names. */
export async function applyMigrationsByEngine(
  provider: Provider,
  factory: SqlMigrationAwareDriverAdapterFactory,
): Promise<string[]> {
  const { appliedMigrationNames } = await withSchemaEngine(factory, undefined, async (engine) =>
    engine.applyMigrations({ migrationsList: await listMigrations(provider), filters: SCHEMA_FILTER }),
  );
  return appliedMigrationNames;
}

/**
 * Opens the engine on one database, and closes it after `work`.
 *
 * @param datamodel - the Prisma schema to work from; not needed to apply migrations
 */
export async function withSchemaEngine<T>(
  factory: SqlMigrationAwareDriverAdapterFactory,
  datamodel: string | undefined,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  loading ??= loadSchemaEngine();
  const { SchemaEngine } = await loading;
  const connections: SqlDriverAdapter[] = [];
  const engine = await SchemaEngine.new(
    { datamodels: datamodel === undefined ? undefined : [['schema.prisma', datamodel]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory({
      provider: factory.provider,
      adapterName: factory.adapterName,
      connectToShadowDb: () => factory.connectToShadowDb(),
      async connect() {
        const connection = await factory.connect();
        connections.push(connection);
        return connection;
      },
    }),
  );
  try {
    return await work(engine);
  } finally {
    engine.free();
    // The engine leaves its connection open, and with it the lock.
    await Promise.all(connections.map((connection) => connection.dispose()));
  }
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
