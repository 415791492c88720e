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

/** Starts sessions of users from the second one on, ten for each, that end in a day. */
export async function fillSessions(provider: Provider, url: string, count: number): Promise<void> {
  const now = Date.now();
  const id = provider === 'sqlite' ? 'lower(hex(randomblob(16)))' : 'gen_random_uuid()';
  await execute(
    provider,
    url,
    `INSERT INTO sessions (id, user_id, epoch, created_at, last_used_at, expires_at, address, user_agent)
     SELECT ${id}, 2 + n / 10, '', ${now}, ${now}, ${now + 86_400_000}, '192.0.2.1', 'curl/8.15.0'
     FROM (${numbersTo(provider, count)}) AS numbers`,
  );
  if (provider === 'postgresql') await execute(provider, url, 'VACUUM ANALYZE sessions');
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
