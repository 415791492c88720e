import { readConfig } from '../config/config.js';
import type { DatabaseUrl } from '../database/connection/database-url.js';
import { describeLocks, type MigrationLocks } from '../database/migrations/locks.js';
import { inspect, migrate } from '../database/migrations/migrate.js';
import { printJson } from './print.js';
import { print } from './standard-output.js';

/**
 * Applies the pending migrations, and prints their names.
 *
 * @param options.pending - to print them and what they lock, and change nothing
 * @throws ConfigError, DatabaseUnavailable
 */
export async function migrateDatabase(
  env: NodeJS.ProcessEnv,
  { pending = false, json = false }: { pending?: boolean; json?: boolean },
): Promise<void> {
  const { databaseUrl, warnings } = readConfig(env, { issuesTokens: false });
  const warn = (message: string) => console.error(`warning: ${message}`);
  warnings.forEach(warn);
  const result = pending ? await listPending(databaseUrl, warn) : await apply(databaseUrl, warn);
  if (json) await printJson(result.json);
  else await print(`${result.lines.join('\n')}\n`);
}

type Warn = (message: string) => void;
type Result = { json: object; lines: string[] };

async function apply(url: DatabaseUrl, warn: Warn): Promise<Result> {
  const created: string[] = [];
  const applied = await migrate(url, { warn, onCreated: (file) => created.push(file) });
  const names = applied.length > 0 ? applied.map((name) => `applied ${name}`) : ['nothing to apply'];
  return { json: { applied }, lines: [...created.map((file) => `created ${file}`), ...names] };
}

async function listPending(url: DatabaseUrl, warn: Warn): Promise<Result> {
  const { pending } = await inspect(url, warn);
  const migrations = describeLocks(url.provider, pending);
  return {
    json: { pending: migrations },
    lines: migrations.length > 0 ? migrations.flatMap(describe) : ['nothing to apply'],
  };
}

function describe({ name, tables, before }: MigrationLocks): string[] {
  return [
    name,
    ...tables.map(({ table, changes, lock, blocks }) => {
      const lockText = lock === null ? 'not in use yet' : `${lock} until it ends, blocks ${blocks}`;
      return `  ${table}: ${changes.join(', ')}; ${lockText}`;
    }),
    ...before.map((statement) => `  before, if the table is large: ${statement}`),
  ];
}
