import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Provider } from '#built/database/connection/database-url.js';

/** Puts users in place of those that are there: user1@example.com and so on, all with one digest. */
export async function fillUsers(provider: Provider, url: string, count: number, digest: string): Promise<void> {
  await execute(
    provider,
    url,
    'DELETE FROM users',
    // Large tables have indexes that SQLite's own 2 MB do not hold.
    ...(provider === 'sqlite' ? ['PRAGMA cache_size = -1000000'] : []),
    `INSERT INTO users (id, email, password_digest)
     SELECT n, 'user' || n || '@example.com', '${digest}' FROM (${numbersTo(provider, count)}) AS numbers`,
  );
  // As PostgreSQL does by itself, some time later. SQLite does not, and neither does the service.
  if (provider === 'postgresql') await execute(provider, url, 'VACUUM ANALYZE users');
}

/** Revokes tokens that expire in a day, and ends all sessions, of users from the second one on. */
export async function fillRevocations(provider: Provider, url: string, count: number): Promise<void> {
  const exp = Math.floor(Date.now() / 1000) + 86_400;
  const numbers = numbersTo(provider, count);
  await execute(
    provider,
    url,
    `INSERT INTO revoked_tokens (key, user_id, exp) SELECT 'jti:' || n, n + 1, ${exp} FROM (${numbers}) AS numbers`,
    `INSERT INTO session_watermarks (user_id, exp) SELECT n + 1, ${exp} FROM (${numbers}) AS numbers`,
  );
  if (provider === 'postgresql') await execute(provider, url, 'VACUUM ANALYZE revoked_tokens, session_watermarks');
}

function numbersTo(provider: Provider, count: number): string {
  return provider === 'sqlite'
    ? `WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < ${count}) SELECT n FROM series`
    : `SELECT n FROM generate_series(1, ${count}) AS series(n)`;
}

async function execute(provider: Provider, url: string, ...scripts: string[]): Promise<void> {
  const factory =
    provider === 'sqlite'
      ? new PrismaBetterSqlite3({ url: url.slice('file:'.length) })
      : new PrismaPg({ connectionString: url });
  const connection = await factory.connect();
  for (const script of scripts) await connection.executeScript(script);
  await connection.dispose();
}
