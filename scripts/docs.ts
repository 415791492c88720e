/**
 * Makes docs/: api.md from the exchanges of the contract tests, commands.md, exit-codes.md and metrics.md from the commands and
 * metrics themselves, the tables of configuration.md from the list of variables, and reference.html from the document as it is served.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadContract } from '../src/contract/contract.js';
import type { Exchange, RecordedExchange } from '../test/support/record.js';
import { apiDocumentation, type Resource } from './api-documentation.js';
import { commandsDocumentation, exitCodesDocumentation } from './commands-documentation.js';
import { configurationDocumentation } from './configuration-documentation.js';
import { metricsDocumentation } from './metrics-documentation.js';

/** By the heading of their part. */
const TESTS = {
  'Api::V1::Sessions': 'test/operations/createSession.test.ts',
  'Api::V1::Session': 'test/operations/getSession.test.ts',
  'Api::V1::Session, renewed': 'test/operations/refreshSession.test.ts',
  'Api::V1::User::Sessions': 'test/operations/listOwnSessions.test.ts',
  'Api::V1::User::Sessions, one of them': 'test/operations/deleteOwnSession.test.ts',
  'Api::V1::Session and Api::V1::User::Sessions, ended': 'test/operations/deleteSession.test.ts',
  'Api::V1::User': 'test/operations/getOwnUser.test.ts',
  'Api::V1::User::Password': 'test/operations/changePassword.test.ts',
  'Api::V1::Users': 'test/operations/createUser.test.ts',
  'Api::V1::Users, listed': 'test/operations/listUsers.test.ts',
  'Api::V1::Users, changed and deleted': 'test/operations/updateUser.test.ts',
  'Api::V1::Users::Sessions': 'test/operations/createUserSession.test.ts',
  'Api::V1::Users::PasswordResets and Api::V1::User::Password::Reset': 'test/operations/createPasswordReset.test.ts',
  'Api::V1::Users::EmailConfirmations and Api::V1::User::Email::Confirm':
    'test/operations/createEmailConfirmation.test.ts',
  'Api::V1::ForwardAuth': 'test/operations/authorizeRequest.test.ts',
  'Public keys': 'test/operations/getJwks.test.ts',
};

const cwd = new URL('../', import.meta.url);
const docs = new URL('docs/', cwd);
const contract = loadContract();

await mkdir(docs, { recursive: true });
const resources: Resource[] = [];
for (const [name, test] of Object.entries(TESTS)) resources.push({ name, exchanges: await recordExchanges(test) });
await writeFile(new URL('api.md', docs), apiDocumentation(contract, resources));
await writeFile(new URL('metrics.md', docs), await metricsDocumentation(contract));
await writeFile(new URL('commands.md', docs), await commandsDocumentation());
await writeFile(new URL('exit-codes.md', docs), exitCodesDocumentation());
const configuration = new URL('configuration.md', docs);
await writeFile(configuration, configurationDocumentation(await readFile(configuration, 'utf8')));
await buildReference();

/** One exchange for each example. A test that runs on both databases has to have had the same one on both. */
async function recordExchanges(test: string): Promise<Exchange[]> {
  const directory = await mkdtemp(join(tmpdir(), 'sessions-api-docs-'));
  const file = join(directory, 'exchanges');
  try {
    npx(['tap', 'run', '--disable-coverage', '--reporter=terse', test], { EXCHANGES_FILE: file });
    const all = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line): RecordedExchange => JSON.parse(line))
      .filter(isExample);
    const byExample = new Map<string, Exchange>();
    for (const exchange of all) {
      const first = byExample.get(exchange.example) ?? exchange;
      if (documented(first) !== documented(exchange))
        throw new Error(`"${exchange.example}" had two different replies`);
      byExample.set(exchange.example, first);
    }
    return [...byExample.values()];
  } finally {
    await rm(directory, { recursive: true });
  }
}

function isExample(exchange: RecordedExchange): exchange is Exchange {
  return exchange.example !== undefined;
}

/** Redoc in one file. It would show a logo from its maker's host; the policy keeps the page from asking any host. */
async function buildReference(): Promise<void> {
  const file = fileURLToPath(new URL('reference.html', docs));
  npx(
    [
      '--prefix=scripts/redocly',
      'redocly',
      'build-docs',
      'src/generated/openapi.yaml',
      '--inlineBundle',
      '--output',
      file,
    ],
    {
      REDOCLY_TELEMETRY: 'off',
    },
  );
  const policy = "default-src 'unsafe-inline' data: blob:";
  const html = await readFile(file, 'utf8');
  await writeFile(
    file,
    html.replace('<head>', `<head><meta http-equiv="Content-Security-Policy" content="${policy}">`),
  );
}

function documented(exchange: Exchange): string {
  return apiDocumentation(contract, [{ name: '', exchanges: [exchange] }]);
}

function npx(command: string[], env: NodeJS.ProcessEnv = {}): void {
  execFileSync('npx', ['--no-install', ...command], { cwd, env: { ...process.env, ...env }, stdio: 'inherit' });
}
