/**
 * Measures `GET /api/v1/session` of the built service, with ES256 and HS256, beside a bare Fastify that verifies ES256: by
 * turns, on SQLite and PostgreSQL, and again with BENCH_SESSIONS (1000000) sessions of others. BENCH_SECONDS (10) is the length
 * of each measurement. Arguments are `main.js` files of other builds, each measured by turns with this one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { getToken } from '../test/support/steady-logins.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { fillSessions, fillUsers } from './fill.js';
import { load } from './load/load.js';
import { run, type Service, startService } from './service.js';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
const SESSIONS = Number(process.env.BENCH_SESSIONS ?? 1_000_000);
const CONNECTIONS = 16;
const ROUNDS = 3;
/** Requests until V8 has optimised what one runs. */
const WARM_UP = 10_000;

type Subject = { name: string; service: Service; token: string; perSecond: number };

async function ask({ service, token, name }: Subject, limit: { duration: number } | { amount: number }) {
  const request = { method: 'GET' as const, path: '/api/v1/session', headers: { authorization: `Bearer ${token}` } };
  const lists = Array.from({ length: CONNECTIONS }, () => [request]);
  const { '2xx': succeeded, non2xx, errors, duration } = await load(service.url, lists, limit);
  if (non2xx + errors > 0) throw new Error(`${name}: ${non2xx + errors} requests did not succeed`);
  return succeeded / duration;
}

/** By turns, so that a machine that slows down slows all. */
async function measure(subjects: Subject[]): Promise<void> {
  for (const subject of subjects) {
    subject.perSecond = 0;
    await ask(subject, { amount: WARM_UP });
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const subject of subjects) subject.perSecond += (await ask(subject, { duration: SECONDS })) / ROUNDS;
  }
}

function report(database: Provider, what: string, subjects: Subject[]): void {
  const bare = subjects.find(({ name }) => name === 'bare')?.perSecond ?? 0;
  for (const { name, perSecond } of subjects) {
    const share = (perSecond / bare).toFixed(2);
    console.log(
      `${database.padEnd(11)}${what.padEnd(24)}${name.padEnd(16)}${perSecond.toFixed(0).padStart(7)}/s ${share}`,
    );
  }
}

async function measureOn(database: Provider, url: string, directory: string): Promise<void> {
  const keys = `${directory}/${database}-keys.json`;
  const env = { DATABASE_URL: url, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
  await run(['migrate'], env);
  await run(['keys', 'generate'], { JWT_KEYS_FILE: keys });
  const { passwordDigest } = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash('foobar');
  await fillUsers(database, url, 1, passwordDigest);
  const signed = await startService({ ...env, JWT_KEYS_FILE: keys });
  const secret = await startService({ ...env, JWT_SECRET: 'x'.repeat(32) });
  const verifier = fileURLToPath(new URL('bare-verifier.ts', import.meta.url));
  const bare = await startService({}, ['--import=tsx', verifier, keys]);
  const token = await getToken(signed.url, 'user1@example.com');
  const subjects: Subject[] = [
    { name: 'bare', service: bare, token, perSecond: 0 },
    { name: 'ES256', service: signed, token, perSecond: 0 },
    { name: 'HS256', service: secret, token: await getToken(secret.url, 'user1@example.com'), perSecond: 0 },
    ...(await startOthers(env, keys)),
  ];
  await measure(subjects);
  report(database, 'getSession', subjects);
  await fillSessions(database, url, SESSIONS);
  await measure(subjects);
  report(database, `${SESSIONS} sessions`, subjects);
  for (const { service } of subjects) await service.stop();
}

/** Other builds know this database too: migrations only add. */
async function startOthers(env: NodeJS.ProcessEnv, keys: string): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const [index, main] of process.argv.slice(2).entries()) {
    const service = await startService({ ...env, JWT_KEYS_FILE: keys }, [main]);
    const token = await getToken(service.url, 'user1@example.com');
    subjects.push({ name: `ES256, build ${index + 1}`, service, token, perSecond: 0 });
  }
  return subjects;
}

const directory = await mkdtemp(`${tmpdir()}/sessions-api-bench-`);
const postgresql = await startTemporaryPostgresql();
try {
  for (const database of PROVIDERS) {
    await measureOn(database, database === 'sqlite' ? `file:${directory}/sessions.db` : postgresql.url, directory);
  }
} finally {
  await postgresql.stop();
  await rm(directory, { recursive: true });
}
