/**
 * Measures `users import` with the built executable: rows per second and peak resident memory, on SQLite and PostgreSQL.
 *
 *   tsx bench/import.ts [ROWS]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const rows = Number(process.argv[2] ?? 1_000_000);
if (!Number.isInteger(rows) || rows < 1) {
  console.error('ROWS has to be a whole number: tsx bench/import.ts [ROWS]');
  process.exit(64);
}

/** A users table as Rails exports it; the emails are in no order, as they are in life. */
async function writeUsers(path: string): Promise<void> {
  function* lines() {
    yield 'id,email,password_digest,created_at\n';
    for (let id = 1; id <= rows; id += 1) {
      const name = ((id * 2_654_435_761) % 4_294_967_296).toString(36);
      const salted = String(id).padStart(53, 'abcdefghijklmnopqrstuvwxyz./ABCDEFGHIJKLMNOPQRSTUVWXYZ');
      yield `${id},${name}@example.com,$2a$12$${salted},2026-01-02 03:04:05.678901\n`;
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(path));
}

async function run(args: string[], databaseUrl: string): Promise<{ seconds: number; peakMb: number }> {
  const started = performance.now();
  const env = { PATH: process.env.PATH, DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  let peakMb = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peakMb = Math.max(peakMb, await readPeakMb(child.pid));
    await Promise.race([exited, setTimeout(50)]);
  }
  if (child.exitCode !== 0) throw new Error(`${args.join(' ')} exited with ${child.exitCode ?? child.signalCode}`);
  return { seconds: (performance.now() - started) / 1000, peakMb };
}

/** The kernel's own mark of the highest resident set (VmHWM); Linux only. */
async function readPeakMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

const directory = await mkdtemp(join(tmpdir(), 'sessions-api-'));
const postgresql = await startTemporaryPostgresql();
try {
  const file = join(directory, 'users.csv');
  await writeUsers(file);
  const databases = { SQLite: `file:${join(directory, 'sessions.db')}`, PostgreSQL: postgresql.url };
  for (const [name, url] of Object.entries(databases)) {
    await run(['migrate'], url);
    const { seconds, peakMb } = await run(['users', 'import', file], url);
    const rate = Math.round(rows / seconds).toLocaleString('en');
    const memory = peakMb > 0 ? `, at most ${Math.round(peakMb)} MB resident` : '';
    console.log(`import of ${rows.toLocaleString('en')} users, ${name}: ${rate} rows/s${memory}`);
  }
} finally {
  await postgresql.stop();
  await rm(directory, { recursive: true });
}
