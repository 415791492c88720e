/**
 * Measures `users import` with the built executable: rows per second and peak resident memory, on SQLite and PostgreSQL.
 *
 *   tsx bench/import.ts [ROWS]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { run } from './service.js';
import { writeUsers } from './user-files.js';

const rows = Number(process.argv[2] ?? 1_000_000);
if (!Number.isInteger(rows) || rows < 1) {
  console.error('ROWS has to be a whole number: tsx bench/import.ts [ROWS]');
  process.exit(64);
}

const directory = await mkdtemp(join(tmpdir(), 'sessions-api-'));
const postgresql = await startTemporaryPostgresql();
try {
  const file = join(directory, 'users.csv');
  await writeUsers(file, rows);
  const databases = { SQLite: `file:${join(directory, 'sessions.db')}`, PostgreSQL: postgresql.url };
  for (const [name, url] of Object.entries(databases)) {
    const env = { DATABASE_URL: url };
    await run(['migrate'], env);
    const { seconds, peakMb } = await run(['users', 'import', file], env);
    const rate = Math.round(rows / seconds).toLocaleString('en');
    const memory = peakMb > 0 ? `, at most ${Math.round(peakMb)} MB resident` : '';
    console.log(`import of ${rows.toLocaleString('en')} users, ${name}: ${rate} rows/s${memory}`);
  }
} finally {
  await postgresql.stop();
  await rm(directory, { recursive: true });
}
