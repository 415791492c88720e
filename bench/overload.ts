/**
 * Measures logins under overload: clients in a closed loop, with right passwords, while a probe asks /livez on new connections.
 * Prints a row for each number of connections, the median of BENCH_ROUNDS (5) rounds of BENCH_SECONDS (10).
 *
 * Arguments: databases (sqlite, postgresql; all unless given), and `main.js` files of other builds, each measured by turns
 * with this one. BENCH_CONNECTIONS lists the connections, BENCH_CORES=split gives the service and the clients a core each,
 * BENCH_HASHING=bcrypt measures bcrypt of cost 4 in place of argon2id.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { fillUsers } from './fill.js';
import { PASSWORD, SECONDS } from './logins.js';
import { MAIN, run, startService } from './service.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const CONNECTIONS = (process.env.BENCH_CONNECTIONS ?? '16,64,200,1000').split(',').map(Number);
const IS_SPLIT = process.env.BENCH_CORES === 'split';
const IS_BCRYPT = process.env.BENCH_HASHING === 'bcrypt';
const BCRYPT = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
const USERS = 1_000;
/** Milliseconds: rates are taken once the load is steady. */
const WARM_UP = 3_000;
/** Milliseconds between probes. */
const PROBE_EVERY = 20;

type Mode = { users: number; honours: boolean };
const MODES: Mode[] = [
  { users: USERS, honours: true },
  { users: USERS, honours: false },
  { users: 1, honours: true },
];

type Answer = { status: number; headers: IncomingHttpHeaders; milliseconds: number };
type Figures = { logins: number; refusals: number; longestRefusal: number; longest: number; livez: number };

/** Sends a request, and resolves when its answer has come. */
function ask(url: string, path: string, agent: Agent | false, form?: string): Promise<Answer> {
  const started = performance.now();
  const headers = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, { method: form ? 'POST' : 'GET', agent, headers }, (response) => {
      response.resume().on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, milliseconds: performance.now() - started });
      });
    });
    request.on('error', reject).end(form);
  });
}

/** The least value that so many of all do not exceed. */
function quantile(values: number[], share: number): number {
  return values.sort((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? 0;
}

async function measure(url: string, connections: number, { users, honours }: Mode): Promise<Figures> {
  const [begin, end] = [performance.now() + WARM_UP, performance.now() + WARM_UP + SECONDS * 1_000];
  const answers: Answer[] = [];
  const probes: number[] = [];
  const isCounted = () => performance.now() >= begin && performance.now() < end;

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await wait(Math.random() * 100);
    while (performance.now() < end) {
      const email = `user${1 + Math.floor(Math.random() * users)}@example.com`;
      const form = new URLSearchParams({ email, password: PASSWORD }).toString();
      const answer = await ask(url, '/api/v1/sessions', agent, form);
      if (isCounted()) answers.push(answer);
      const retryAfter = Number(answer.headers['retry-after'] ?? 0);
      if (honours && retryAfter > 0) await wait(Math.min(retryAfter * 1_000, end - performance.now()));
    }
    agent.destroy();
  }

  async function probe(): Promise<void> {
    while (performance.now() < end) {
      const { milliseconds } = await ask(url, '/livez', false);
      if (isCounted()) probes.push(milliseconds);
      await wait(PROBE_EVERY);
    }
  }

  await Promise.all([...Array.from({ length: connections }, client), probe()]);
  const wrong = answers.find(({ status }) => status !== 200 && status !== 503);
  if (wrong) throw new Error(`a login was answered with ${wrong.status}`);
  const refused = answers.filter(({ status }) => status === 503).map(({ milliseconds }) => milliseconds);
  return {
    logins: (answers.length - refused.length) / SECONDS,
    refusals: refused.length / SECONDS,
    longestRefusal: Math.max(0, ...refused),
    longest: Math.max(0, ...answers.map(({ milliseconds }) => milliseconds)),
    livez: quantile(probes, 0.99),
  };
}

async function measureBuild(main: string, env: NodeJS.ProcessEnv, connections: number, mode: Mode): Promise<Figures> {
  const service = await startService(env, [main], IS_SPLIT ? ['taskset', '-c', '0'] : []);
  try {
    return await measure(service.url, connections, mode);
  } finally {
    await service.stop();
  }
}

function medianOf(rounds: Figures[], figure: keyof Figures): number {
  return quantile(
    rounds.map((round) => round[figure]),
    0.5,
  );
}

async function compare(provider: Provider, url: string, builds: string[]): Promise<void> {
  const env = { DATABASE_URL: url, JWT_SECRET: PASSWORD.repeat(2), ...(IS_BCRYPT && BCRYPT) };
  await run(['migrate'], env);
  const { passwordDigest } = await createPasswords(
    IS_BCRYPT ? { algorithm: 'bcrypt', cost: 4 } : { algorithm: 'argon2id' },
  ).hash(PASSWORD);
  await fillUsers(provider, url, USERS, passwordDigest);
  for (const mode of MODES) {
    const title = `${mode.users} users, Retry-After ${mode.honours ? 'honoured' : 'ignored'}`;
    console.log(`${provider}, ${title}: logins/s, refusals/s, longest refusal, longest answer, /livez p99 (ms)`);
    for (const connections of CONNECTIONS) {
      const rounds = new Map<string, Figures[]>(builds.map((build) => [build, []]));
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [build, figures] of rounds) figures.push(await measureBuild(build, env, connections, mode));
      }
      for (const [index, figures] of [...rounds.values()].entries()) {
        const names = ['logins', 'refusals', 'longestRefusal', 'longest', 'livez'] as const;
        const columns = names.map((name) =>
          medianOf(figures, name)
            .toFixed(name === 'logins' ? 1 : 0)
            .padStart(8),
        );
        console.log(`${String(connections).padStart(6)}  build ${index}${columns.join('')}`);
      }
    }
  }
}

const builds = [MAIN, ...process.argv.slice(2).filter((argument) => argument.endsWith('.js'))];
const chosen = PROVIDERS.filter(
  (provider) => !PROVIDERS.some((each) => process.argv.includes(each)) || process.argv.includes(provider),
);
if (IS_SPLIT) execFileSync('taskset', ['-a', '-p', '-c', '1', String(process.pid)]);
console.log(`${availableParallelism()} cores of ${cpus()[0]?.model}, Node.js ${process.version}`);
for (const [index, build] of builds.entries()) console.log(`build ${index}: ${build === MAIN ? 'this one' : build}`);
for (const provider of chosen) {
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-bench-`);
  const postgresql = provider === 'postgresql' ? await startTemporaryPostgresql() : undefined;
  try {
    await compare(provider, postgresql?.url ?? `file:${directory}/sessions.db`, builds);
  } finally {
    await postgresql?.stop();
    await rm(directory, { recursive: true });
  }
}
