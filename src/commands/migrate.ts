import { readConfig } from '../config/config.js';
import { migrate } from '../database/migrations/migrate.js';
import { print } from './standard-output.js';

/**
 * Applies the pending migrations, and prints their names.
 *
 * @throws ConfigError, DatabaseUnavailable
 */
export async function migrateDatabase(env: NodeJS.ProcessEnv): Promise<void> {
  const { databaseUrl, warnings } = readConfig(env, { issuesTokens: false });
  const warn = (message: string) => console.error(`warning: ${message}`);
  warnings.forEach(warn);
  const lines: string[] = [];
  const applied = await migrate(databaseUrl, {
    warn,
    onCreated: (file) => lines.push(`created ${file}`),
  });
  lines.push(...(applied.length > 0 ? applied.map((name) => `applied ${name}`) : ['nothing to apply']));
  await print(`${lines.join('\n')}\n`);
}
