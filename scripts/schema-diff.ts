import { readFile } from 'node:fs/promises';
import {
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { Provider } from '#built/database/connection/database-url.js';
import { schemaFor } from './schema.js';
import { listMigrations, SCHEMA_FILTER, withSchemaEngine } from './schema-engine.js';

/** The models of both databases, as they are written. */
export function readModels(): Promise<string> {
  return readFile(new URL('../prisma/schema.prisma', import.meta.url), 'utf8');
}

/**
 * The SQL that the migrations lack to make what the models say; empty where nothing has drifted.
 *
 * @param factory - of a database that Prisma may fill and empty at will
 * @param models - the text of prisma/schema.prisma
 */
export async function schemaDiff(
  provider: Provider,
  factory: SqlMigrationAwareDriverAdapterFactory,
  models: string,
): Promise<string> {
  const schema = schemaFor(provider, models);
  // The engine drops the shadow database by itself.
  const readable: SqlMigrationAwareDriverAdapterFactory = {
    provider: factory.provider,
    adapterName: factory.adapterName,
    connect: () => factory.connect(),
    async connectToShadowDb() {
      const connection = await factory.connectToShadowDb();
      runScripts(connection);
      readChar(connection);
      return connection;
    },
  };
  const { stdout, exitCode } = await withSchemaEngine(readable, schema, async (engine) =>
    engine.diff({
      from: { tag: 'migrations', ...(await listMigrations(provider)) },
      to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: schema }] },
      script: true,
      exitCode: true,
      filters: SCHEMA_FILTER,
    }),
  );
  return exitCode === 0 ? '' : (stdout ?? '');
}

/** The engine hands a whole migration over as one statement, which better-sqlite3 refuses. */
function runScripts(connection: SqlDriverAdapter): void {
  const executeRaw = connection.executeRaw.bind(connection);
  connection.executeRaw = async (query) => {
    if (query.args.length > 0) return executeRaw(query);
    await connection.executeScript(query.sql);
    return 0;
  };
}

/** PostgreSQL's types by their object id: the one-byte "char" of its catalogue, and text. */
const CHAR = 18;
const TEXT = 25;

type Pool = { query(...args: unknown[]): Promise<{ fields: { dataTypeID: number }[] }> };

/** The engine reads columns of "char" from PostgreSQL's catalogue; @prisma/adapter-pg 7.10 does not know that type. */
function readChar(connection: SqlDriverAdapter): void {
  if (!('underlyingDriver' in connection) || typeof connection.underlyingDriver !== 'function') return;
  const pool: Pool = connection.underlyingDriver();
  let charColumns: number[] = [];
  const query = pool.query.bind(pool);
  pool.query = async (...args) => {
    const result = await query(...args);
    charColumns = result.fields.flatMap(({ dataTypeID }, index) => (dataTypeID === CHAR ? [index] : []));
    for (const index of charColumns) Object.assign(result.fields[index] ?? {}, { dataTypeID: TEXT });
    return result;
  };
  const queryRaw = connection.queryRaw.bind(connection);
  connection.queryRaw = async (statement) => {
    const result = await queryRaw(statement);
    for (const index of charColumns) result.columnTypes[index] = ColumnTypeEnum.Character;
    return result;
  };
}
