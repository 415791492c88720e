import type { Provider } from '#built/database/connection/database-url.js';

/**
 * The Prisma schema of one database, to stand in src/generated/. Prisma wants the provider as a literal; the models are
 * the same for both.
 *
 * @param models - the text of prisma/schema.prisma
 */
export function schemaFor(provider: Provider, models: string): string {
  return models
    .replace('provider = "sqlite"', `provider = "${provider}"`)
    .replace('"../src/generated/sqlite"', `"./${provider}"`);
}
