/**
 * Measures the built service, as a process of its own on a real socket, beside what the hash alone can do in the same run.
 * Prints a table and writes bench/results.json. BENCH_SECONDS (10) is the length of each measurement;
 * arguments choose databases: `tsx bench/main.ts sqlite`.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { createPasswords, type Hashing } from '#built/passwords/passwords.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { fillUsers } from './fill.js';
import { load } from './load/load.js';
import { firstLogin, loginsOf, mean, PASSWORD, SECONDS, warmUp } from './logins.js';
import { POOL, run, type Service, startService } from './service.js';

const SMALL = 1_000;
/** Logins until V8 has optimised what one runs: before, it does so on the cores that are to hash. */
const WARM_UP = { argon2id: 5_000, bcrypt: 15_000 };
/** How often a share is measured anew: what the machine does for others comes and goes. */
const ROUNDS = 3;
const ARGON2ID: Hashing = { algorithm: 'argon2id' };
const BCRYPT: Hashing = { algorithm: 'bcrypt', cost: 4 };

type Row = { figure: string; database: Provider | 'none'; value: number; unit: string; reach: string };
const rows: Row[] = [];

function report(row: Row): void {
  rows.push(row);
  console.log(`${row.database.padEnd(11)}${row.figure.padEnd(64)}${row.value.toFixed(2).padStart(10)} ${row.unit}`);
}

function progress(text: string): void {
  console.error(`  … ${text}`);
}

/** Verifications in a second, by a process that hands as many at once to as many threads as the service does. */
async function hashAlone(hashing: Hashing): Promise<number> {
  const script = fileURLToPath(new URL('hash-alone.ts', import.meta.url));
  const args = ['--import=tsx', script, JSON.stringify(hashing), String(SECONDS)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...POOL } });
  return Number(stdout);
}

/** The 99th percentile, in milliseconds, of how long the probe takes while all cores hash. */
async function probeDuringStorm({ url }: Service): Promise<number> {
  const storm = load(url, loginsOf(SMALL, { connections: 64 }), { duration: SECONDS });
  const durations: number[] = [];
  const end = performance.now() + SECONDS * 1_000 - 500;
  while (performance.now() < end) {
    const started = performance.now();
    await (await fetch(`${url}/livez`)).text();
    durations.push(performance.now() - started);
    await wait(5);
  }
  await storm;
  return durations.sort((a, b) => a - b)[Math.floor(durations.length * 0.99)] ?? 0;
}

async function withService<T>(start: Promise<Service>, use: (service: Service) => Promise<T>): Promise<T> {
  const service = await start;
  try {
    return await use(service);
  } finally {
    await service.stop();
  }
}

/** Logins in a second, and as a share of the hash alone. By turns, so that a machine that slows down slows both. */
async function shareOfHash(hashing: Hashing, start: Promise<Service>): Promise<[number, number]> {
  return withService(start, async (service) => {
    const logIn = await warmUp(service, loginsOf(SMALL), WARM_UP[hashing.algorithm]);
    const served = [];
    const alone = [await hashAlone(hashing)];
    for (let round = 0; round < ROUNDS; round += 1) {
      served.push((await logIn()).perSecond);
      alone.push(await hashAlone(hashing));
    }
    return [mean(served), mean(served) / mean(alone)];
  });
}

/** What any service could reach at most: Node.js' own HTTP server with nothing in it but the hash. */
async function measureBareServer(hashing: Hashing): Promise<void> {
  progress(`a bare server with ${hashing.algorithm}`);
  const script = fileURLToPath(new URL('bare-server.ts', import.meta.url));
  const { passwordDigest } = await createPasswords(hashing).hash(PASSWORD);
  const args = ['--import=tsx', script, JSON.stringify(hashing), passwordDigest];
  const [, share] = await shareOfHash(hashing, startService({}, args));
  report({
    figure: `a bare server with ${hashing.algorithm}, as a share of the hash alone`,
    database: 'none',
    value: share,
    unit: '',
    reach: '',
  });
}

async function measure(database: Provider, url: string): Promise<void> {
  const env = { DATABASE_URL: url, JWT_SECRET: PASSWORD.repeat(2) };
  const bcryptEnv = { ...env, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
  await run(['migrate'], env);

  progress(`${database}: ${SMALL} users with argon2id`);
  await fillUsers(database, url, SMALL, (await createPasswords(ARGON2ID).hash(PASSWORD)).passwordDigest);
  const starts = [];
  for (let start = 0; start < 5; start += 1) starts.push(await firstLogin(env));
  report({
    figure: 'from exec to the first 200, median of 5',
    database,
    value: starts.sort((a, b) => a - b)[2] ?? 0,
    unit: 'ms',
    reach: '600',
  });
  const [argon2id, argon2idShare] = await shareOfHash(ARGON2ID, startService(env));
  report({ figure: 'logins/s with argon2id', database, value: argon2id, unit: '/s', reach: '' });
  report({ figure: '  as a share of the hash alone', database, value: argon2idShare, unit: '', reach: '0.95' });
  const probe = await withService(startService(env), probeDuringStorm);
  report({
    figure: '/livez p99 during the argon2id storm, 64 connections',
    database,
    value: probe,
    unit: 'ms',
    reach: '20',
  });

  progress(`${database}: ${SMALL} users with bcrypt`);
  const { passwordDigest: bcryptDigest } = await createPasswords(BCRYPT).hash(PASSWORD);
  await fillUsers(database, url, SMALL, bcryptDigest);
  const [bcrypt, bcryptShare] = await shareOfHash(BCRYPT, startService(bcryptEnv));
  report({ figure: 'logins/s with bcrypt cost 4', database, value: bcrypt, unit: '/s', reach: '' });
  report({ figure: '  as a share of the hash alone', database, value: bcryptShare, unit: '', reach: '0.65' });
  await withService(startService(bcryptEnv), async (service) => {
    const memoryAfter = async (amount: number) => {
      await load(service.url, loginsOf(SMALL), { amount });
      return service.residentMemory();
    };
    progress(`${database}: 50,000 logins, for the memory they take`);
    const early = await memoryAfter(10_000);
    report({ figure: 'resident memory after 10,000 logins', database, value: early, unit: 'MB', reach: '130' });
    const growth = (await memoryAfter(40_000)) - early;
    report({ figure: '  its growth to the 50,000th login', database, value: growth, unit: 'MB', reach: '5' });
  });
}

const chosen = PROVIDERS.filter((provider) => process.argv.length < 3 || process.argv.includes(provider));
const machine = `${availableParallelism()} cores of ${cpus()[0]?.model}, Node.js ${process.version}`;
console.log(`${machine}; the load generator runs beside the service`);
for (const hashing of [ARGON2ID, BCRYPT]) await measureBareServer(hashing);
for (const provider of chosen) {
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-bench-`);
  const postgresql = provider === 'postgresql' ? await startTemporaryPostgresql() : undefined;
  try {
    await measure(provider, postgresql?.url ?? `file:${directory}/sessions.db`);
  } finally {
    await postgresql?.stop();
    await rm(directory, { recursive: true });
  }
}
await writeFile(new URL('results.json', import.meta.url), `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
