import { readConfig } from '../config/config.js';
import { migrate } from '../database/migrate.js';

/**
 * Applies the pending migrations, and prints their names.
 *
 * @throws ConfigError, DatabaseUnavailable
 */
export async function migrateDatabase(env: NodeJS.ProcessEnv): Promise<void> {
  const { databaseUrl } = readConfig(env, { issuesTokens: false });
  const applied = await migrate(databaseUrl, (message) => console.error(`warning: ${message}`));
  for (const name of applied) console.log(`applied ${name}`);
  if (applied.length === 0) console.log('nothing to apply');
}
