/**
 * Makes docs/: api.md from the recorded exchanges of the contract tests, commands.md, exit-codes.md and metrics.md from the commands and
 * metrics themselves, the tables of configuration.md from the list of variables, and reference.html from the document as it is served.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { loadContract } from '../src/contract/contract.js';
import { type Exchange, type RecordedExchange, readRecords } from '../test/support/record.js';
import { apiDocumentation, type Resource } from './api-documentation.js';
import { commandsDocumentation, exitCodesDocumentation } from './commands-documentation.js';
import { configurationDocumentation } from './configuration-documentation.js';
import { metricsDocumentation } from './metrics-documentation.js';

/** By the heading of their part. */
const TESTS = {
  'Api::V1::Sessions': 'createSession.test.ts',
  'Api::V1::Session': 'getSession.test.ts',
  'Api::V1::Session, renewed': 'refreshSession.test.ts',
  'Api::V1::User::Sessions': 'listOwnSessions.test.ts',
  'Api::V1::User::Sessions, one of them': 'deleteOwnSession.test.ts',
  'Api::V1::Session and Api::V1::User::Sessions, ended': 'deleteSession.test.ts',
  'Api::V1::User': 'getOwnUser.test.ts',
  'Api::V1::User::Password': 'changePassword.test.ts',
  'Api::V1::Users': 'createUser.test.ts',
  'Api::V1::Users, listed': 'listUsers.test.ts',
  'Api::V1::Users, changed and deleted': 'updateUser.test.ts',
  'Api::V1::Users::Sessions': 'createUserSession.test.ts',
  'Api::V1::Users::PasswordResets and Api::V1::User::Password::Reset': 'createPasswordReset.test.ts',
  'Api::V1::Users::EmailConfirmations and Api::V1::User::Email::Confirm': 'createEmailConfirmation.test.ts',
  'Api::V1::ForwardAuth': 'authorizeRequest.test.ts',
  'Public keys': 'getJwks.test.ts',
};

const cwd = new URL('../', import.meta.url);
const docs = new URL('docs/', cwd);
const contract = loadContract();

await mkdir(docs, { recursive: true });
const resources: Resource[] = [];
for (const [name, test] of Object.entries(TESTS)) resources.push({ name, exchanges: await examplesOf(test) });
await writeFile(new URL('api.md', docs), apiDocumentation(contract, resources));
await writeFile(new URL('metrics.md', docs), await metricsDocumentation(contract));
await writeFile(new URL('commands.md', docs), await commandsDocumentation());
await writeFile(new URL('exit-codes.md', docs), exitCodesDocumentation());
const configuration = new URL('configuration.md', docs);
await writeFile(configuration, configurationDocumentation(await readFile(configuration, 'utf8')));
await buildReference();

/** One exchange for each example. A test that runs on both databases has to have had the same one on both. */
async function examplesOf(test: string): Promise<Exchange[]> {
  const { exchanges } = await readRecords([test]);
  const byExample = new Map<string, Exchange>();
  for (const exchange of exchanges.filter(isExample)) {
    const first = byExample.get(exchange.example) ?? exchange;
    if (documented(first) !== documented(exchange)) throw new Error(`"${exchange.example}" had two different replies`);
    byExample.set(exchange.example, first);
  }
  if (byExample.size === 0) throw new Error(`${test} has no example`);
  return [...byExample.values()];
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
