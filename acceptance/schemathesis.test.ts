/** Requests that schemathesis makes of the served contract: what it allows is accepted, what it does not is refused. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { command } from '../test/support/command.js';
import { run, start } from '../test/support/executable.js';
import { SECRET, UNTHROTTLED } from '../test/support/service.js';
import { type Counts, RESULTS, type SchemathesisResult } from './contract-results.js';
import { installPythonTool, noPython } from './python-tool.js';

const fileAt = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const ADMIN_TOKEN = randomBytes(32).toString('base64url');

const { SEEDS = '1', MAX_EXAMPLES = '100' } = process.env;
/** The tokens that requests carry: acceptance/schemathesis.hooks.py has them. */
const TOKENS = ['none', 'user', 'admin', 'each'] as const;
/** Cases of a run that has tokens for all operations, and of one that has not. */
const ALL_PHASES = { maxExamples: Number(MAX_EXAMPLES), phases: 'examples,coverage,fuzzing,stateful' };
const NO_LINKS = { maxExamples: Math.ceil(Number(MAX_EXAMPLES) / 10), phases: 'examples,coverage,fuzzing' };

t.test('schemathesis finds nothing', { skip: noPython }, async (t) => {
  const schemathesis = await installPythonTool(t, 'schemathesis');
  const results: SchemathesisResult[] = [];
  for (const seed of SEEDS.split(',')) {
    for (const tokens of TOKENS) {
      await t.test(`with seed ${seed}, tokens: ${tokens}`, async (t) => {
        const cwd = t.testdir();
        // No throttling, cheap hashes: only replies are tested.
        const hashing = { ...UNTHROTTLED, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
        const secrets = { JWT_SECRET: SECRET, ADMIN_TOKENS: ADMIN_TOKEN };
        const renewal = { TOKEN_TTL_SECONDS: '3600', REFRESH_TOKEN_TTL_SECONDS: '86400' };
        const env = { ...hashing, ...secrets, ...renewal, DATABASE_URL: 'file:./sessions.db' };
        const user = ['users', 'add', '--allow-weak', 'foo@bar.com'];
        t.match(await run(user, { cwd, env, input: 'foobar\n' }), { code: 0 }, 'the user of the examples exists');
        const service = await start(t, { cwd, env });
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
          `${service.url}/openapi.json`,
          `--seed=${seed}`,
          `--max-examples=${maxExamples}`,
          `--phases=${phases}`,
        );
        t.equal(code, 0, 'nothing is found', { output });
        const counts: Counts = JSON.parse(await readFile(`${cwd}/counts.json`, 'utf8'));
        const [, cases = '0'] = output.match(/(\d+) generated/) ?? [];
        t.ok(Number(cases) >= 500, `${cases} cases`);
        results.push({ seed, tokens, cases: Number(cases), maxExamples, counts });
      });
    }
  }
  await mkdir(RESULTS, { recursive: true });
  await writeFile(`${RESULTS}/schemathesis.json`, JSON.stringify(results));
});
