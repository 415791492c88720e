/** Requests that schemathesis makes of the served contract: what it allows is accepted, what it does not is refused. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { command } from '../test/support/command.js';
import { run, start } from '../test/support/executable.js';
import { SECRET, UNTHROTTLED } from '../test/support/service.js';
import { type Counts, currentCommit, RESULTS, type SchemathesisResult } from './contract-results.js';
import { installPythonTool, noPython } from './python-tool.js';

const fileAt = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const ADMIN_TOKEN = randomBytes(32).toString('base64url');

const { SEEDS = '1', MAX_EXAMPLES = '280' } = process.env;
/** The tokens that requests carry: acceptance/schemathesis.hooks.py has them. The longest run is first. */
const TOKENS = ['each', 'none', 'user', 'admin'] as const;
/** Cases of a run that has tokens for all operations, and of one that has not. */
const ALL_PHASES = { maxExamples: Number(MAX_EXAMPLES), phases: 'examples,coverage,fuzzing,stateful' };
const NO_LINKS = { maxExamples: Math.ceil(Number(MAX_EXAMPLES) / 3), phases: 'examples,coverage,fuzzing' };

type Links = { [operationId: string]: { operationId: string; requestBody: object } };
type Served = {
  paths: {
    [path: string]: { [method: string]: { operationId: string; responses: { [status: string]: { links?: object } } } };
  };
};

/** Links with a body, which openapi-generator does not read: by operation and status. */
const LINKS: { [operationId: string]: { [status: string]: Links } } = {
  createUser: {
    201: {
      createSession: {
        operationId: 'createSession',
        requestBody: { email: '$request.body#/email', password: '$request.body#/password' },
      },
    },
  },
  createSession: {
    200: {
      refreshSession: {
        operationId: 'refreshSession',
        requestBody: { refresh_token: '$response.body#/refresh_token' },
      },
      changePassword: {
        operationId: 'changePassword',
        requestBody: { current_password: '$request.body#/password', password: 'correct horse battery' },
      },
    },
  },
  createPasswordReset: {
    201: {
      resetPassword: {
        operationId: 'resetPassword',
        requestBody: { token: '$response.body#/token', password: 'correct horse battery' },
      },
    },
  },
  createEmailConfirmation: {
    201: { confirmEmail: { operationId: 'confirmEmail', requestBody: { token: '$response.body#/token' } } },
  },
};

/** The document as it is served, with LINKS. */
async function servedWithLinks(url: string): Promise<string> {
  const served: Served = JSON.parse(await (await fetch(`${url}/openapi.json`)).text());
  for (const { operationId, responses } of Object.values(served.paths).flatMap((item) => Object.values(item))) {
    for (const [status, links] of Object.entries(LINKS[operationId] ?? {})) {
      const reply = responses[status];
      if (!reply) throw new Error(`${operationId} declares no ${status}`);
      reply.links = { ...reply.links, ...links };
    }
  }
  return JSON.stringify(served);
}

t.test('schemathesis finds nothing', { skip: noPython }, async (t) => {
  const schemathesis = await installPythonTool(t, 'schemathesis');
  await mkdir(RESULTS, { recursive: true });
  const results: SchemathesisResult[] = [];
  for (const seed of SEEDS.split(',')) {
    // Each run keeps one core busy: its generator and its service take turns.
    await t.test(`with seed ${seed}`, { jobs: 2 }, async (t) => {
      const runs = TOKENS.map((tokens) =>
        t.test(`tokens: ${tokens}`, { buffered: true }, async (t) => {
          results.push(await runOf(t, schemathesis, seed, tokens));
        }),
      );
      await Promise.all(runs);
    });
    // After each seed: what has ended counts, also if the next does not.
    await writeFile(`${RESULTS}/schemathesis.json`, JSON.stringify(results));
  }
});

async function runOf(
  t: Test,
  schemathesis: string,
  seed: string,
  tokens: (typeof TOKENS)[number],
): Promise<SchemathesisResult> {
  const cwd = t.testdir();
  // No throttling, cheap hashes: only replies are tested.
  const hashing = { ...UNTHROTTLED, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
  const secrets = { JWT_SECRET: SECRET, ADMIN_TOKENS: ADMIN_TOKEN };
  const renewal = { TOKEN_TTL_SECONDS: '3600', REFRESH_TOKEN_TTL_SECONDS: '86400' };
  const env = { ...hashing, ...secrets, ...renewal, DATABASE_URL: 'file:./sessions.db' };
  const user = ['users', 'add', '--allow-weak', 'foo@bar.com'];
  t.match(await run(user, { cwd, env, input: 'foobar\n' }), { code: 0 }, 'the user of the examples exists');
  const service = await start(t, { cwd, env });
  const contract = `${cwd}/openapi.json`;
  await writeFile(contract, await servedWithLinks(service.url));
  const { maxExamples, phases } = tokens === 'each' ? ALL_PHASES : NO_LINKS;
  const { code, output } = await command(
    {
      cwd,
      env: {
        ...process.env,
        SCHEMATHESIS_HOOKS: fileAt('schemathesis.hooks.py'),
        SERVICE: service.url,
        ADMIN_TOKEN,
        TOKENS: tokens,
        COUNTS_FILE: `${cwd}/counts.json`,
      },
    },
    schemathesis,
    '--no-color',
    '--config-file',
    fileAt('../schemathesis.toml'),
    'run',
    contract,
    `--url=${service.url}`,
    `--seed=${seed}`,
    `--max-examples=${maxExamples}`,
    `--phases=${phases}`,
  );
  t.equal(code, 0, 'nothing is found', { output });
  const counts: Counts = JSON.parse(await readFile(`${cwd}/counts.json`, 'utf8'));
  const [, cases = '0'] = output.match(/(\d+) generated/) ?? [];
  t.ok(Number(cases) >= 500, `${cases} cases`);
  return { commit: currentCommit(), seed, tokens, cases: Number(cases), maxExamples, counts };
}
