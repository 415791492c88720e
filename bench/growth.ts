/**
 * Measures what the number of users changes: logins with bcrypt by turns, of users chosen at random, memory, the start, lists
 * and creations over HTTP, the commands, and an import of 200,000 more. BENCH_USERS (10000,1000000) are the numbers, BENCH_SECONDS (10) is the length of
 * each measurement; arguments choose databases.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { startTemporaryPostgresql, type TemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { fillUsers } from './fill.js';
import { firstLogin, type LoginRate, loginsOf, mean, PASSWORD, warmUp } from './logins.js';
import { run, startService } from './service.js';
import { writeUsers } from './user-files.js';

const SIZES = (process.env.BENCH_USERS ?? '10000,1000000').split(',').map(Number);
const ROUNDS = 3;
const STARTS = 3;
const IMPORTED = 200_000;
const REQUESTS_OF_CONNECTION = 1_000;
const WARM_UP = 20_000;
const COMMANDS = [['stats'], ['list'], ['show', 'user1@example.com'], ['list', '--email', 'user9999@'], ['export']];

const ADMIN_TOKEN = 'x'.repeat(32);
/** By id, by the index of disabled users, by that of emails. */
const LISTS = ['?limit=100', '?limit=100&disabled=true', '?limit=100&email_prefix=user9', '?email=user9@example.com'];
const REQUESTS = 200;

type Subject = { users: number; env: NodeJS.ProcessEnv };

function report(database: Provider, users: number, figures: string): void {
  console.log(`${database.padEnd(11)}${users.toLocaleString('en').padStart(10)} users  ${figures}`);
}

async function measureLogins(database: Provider, subjects: Subject[]): Promise<void> {
  const started = [];
  for (const { users, env } of subjects) {
    const firsts = [];
    for (let start = 0; start < STARTS; start += 1) firsts.push(await firstLogin(env));
    const service = await startService(env);
    const lists = loginsOf(users, { requestsOfConnection: REQUESTS_OF_CONNECTION });
    const rates: LoginRate[] = [];
    started.push({ users, service, first: mean(firsts), rates, logIn: await warmUp(service, lists, WARM_UP) });
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { rates, logIn } of started) rates.push(await logIn());
  }
  for (const { users, service, first, rates } of started) {
    const perSecond = mean(rates.map((rate) => rate.perSecond)).toFixed(0);
    const p99 = mean(rates.map((rate) => rate.p99)).toFixed(0);
    const memory = (await service.residentMemory()).toFixed(0);
    report(database, users, `${perSecond} logins/s, p99 ${p99} ms, ${memory} MB, first login ${first.toFixed(0)} ms`);
    await service.stop();
  }
}

async function measureUsersOverHttp(database: Provider, { users, env }: Subject): Promise<void> {
  const service = await startService(env);
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
  async function measure(what: string, send: (index: number) => Promise<Response>): Promise<void> {
    const begun = performance.now();
    for (let index = 0; index < REQUESTS; index += 1) {
      const reply = await send(index);
      if (!reply.ok) throw new Error(`${what}: ${reply.status}`);
      await reply.text();
    }
    report(database, users, `${what}: ${((performance.now() - begun) / REQUESTS).toFixed(1)} ms`);
  }
  const url = `${service.url}/api/v1/users`;
  for (const list of LISTS) await measure(`listUsers ${list}`, () => fetch(url + list, { headers }));
  await measure('createUser', (index) => {
    const body = JSON.stringify({ email: `new${index}@example.com`, password: PASSWORD });
    return fetch(url, { method: 'POST', headers, body });
  });
  await service.stop();
}

async function measureCommands(database: Provider, { users, env }: Subject, directory: string): Promise<void> {
  for (const command of COMMANDS) {
    const { seconds, peakMb } = await run(['users', ...command], env);
    report(database, users, `users ${command.join(' ')}: ${seconds.toFixed(2)} s, ${peakMb.toFixed(0)} MB`);
  }
  const file = `${directory}/users.csv`;
  await writeUsers(file, IMPORTED, users);
  const { seconds, peakMb } = await run(['users', 'import', file], env);
  report(database, users, `users import: ${(IMPORTED / seconds).toFixed(0)} rows/s, ${peakMb.toFixed(0)} MB`);
}

const chosen = PROVIDERS.filter((provider) => process.argv.length < 3 || process.argv.includes(provider));
const directory = await mkdtemp(`${tmpdir()}/sessions-api-bench-`);
const servers: TemporaryPostgresql[] = [];

/** Of a database of its own. */
async function createUrl(database: Provider, name: string): Promise<string> {
  if (database === 'sqlite') return `file:${directory}/${name}.db`;
  const server = await startTemporaryPostgresql();
  servers.push(server);
  return server.url;
}

try {
  const { passwordDigest } = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash(PASSWORD);
  for (const database of chosen) {
    const subjects: Subject[] = [];
    for (const users of SIZES) {
      console.error(`  … ${database}: ${users} users`);
      const url = await createUrl(database, String(users));
      const secret = { JWT_SECRET: PASSWORD.repeat(2), ADMIN_TOKENS: ADMIN_TOKEN };
      const env = { DATABASE_URL: url, ...secret, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
      await run(['migrate'], env);
      await fillUsers(database, url, users, passwordDigest);
      subjects.push({ users, env });
    }
    await measureLogins(database, subjects);
    for (const subject of subjects) await measureUsersOverHttp(database, subject);
    for (const subject of subjects) await measureCommands(database, subject, directory);
  }
} finally {
  for (const server of servers) await server.stop();
  await rm(directory, { recursive: true });
}
