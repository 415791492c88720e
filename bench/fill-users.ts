import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Provider } from '#built/database/database-url.js';

/** Puts users in place of those that are there: user1@example.com and so on, all with one digest. */
export async function fillUsers(provider: Provider, url: string, count: number, digest: string): Promise<void> {
  const numbers =
    provider === 'sqlite'
      ? `WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < ${count}) SELECT n FROM series`
      : `SELECT n FROM generate_series(1, ${count}) AS series(n)`;
  const factory =
    provider === 'sqlite'
      ? new PrismaBetterSqlite3({ url: url.slice('file:'.length) })
      : new PrismaPg({ connectionString: url });
  const connection = await factory.connect();
  await connection.executeScript('DELETE FROM users');
  await connection.executeScript(
    `INSERT INTO users (id, email, password_digest)
     SELECT n, 'user' || n || '@example.com', '${digest}' FROM (${numbers}) AS numbers`,
  );
  // As PostgreSQL does by itself, some time later. SQLite does not, and neither does the service.
  if (provider === 'postgresql') await connection.executeScript('VACUUM ANALYZE users');
  await connection.dispose();
}
