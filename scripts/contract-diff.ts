/** Compares openapi.yaml with the one of a git revision, lists what breaks its clients, and exits with 1 on any. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { parse, parseDocument } from 'yaml';
import { createServedDocument, type Document, withHeadersOfEveryReply } from '../src/contract/document.js';

type Change = { id: string; text: string; operation?: string; path?: string };

const CONTRACT = 'openapi.yaml';
const OASDIFF = 'github.com/oasdiff/oasdiff@v1.37.0';
/** These break generated clients, which are typed per status; for oasdiff they are information. */
const RAISED_TO_ERRORS = [
  'api-operation-id-removed',
  'optional-response-header-removed',
  'response-non-success-status-removed',
  'response-optional-property-removed',
];

const program = new Command('contract:diff')
  .description('Lists the changes to openapi.yaml since a git revision that break its clients; exits with 1 on any.')
  .argument('[revision]', 'what to compare with (default: the newest one whose openapi.yaml differs)')
  .option('--unless-major-raised', 'let them pass where the major number of info.version was raised');
const [revision = newestThatDiffers()] = program.parse().processedArgs;

const before: Document = inCurrentNotation(contractAt(revision));
const now: Document = parse(readFileSync(CONTRACT, 'utf8'));
const breaking = breakingChanges(before, now);
const raised = Number.parseInt(now.info.version, 10) > Number.parseInt(before.info.version, 10);

console.log(
  `${CONTRACT}: ${before.info.version} at ${revision}, ${now.info.version} now; breaking: ${breaking.length}`,
);
for (const { id, text, operation = '', path = '' } of breaking) console.log(`  ${operation} ${path}: ${text} [${id}]`);
if (breaking.length > 0 && !(program.opts().unlessMajorRaised && raised)) {
  if (!raised) console.error(`A breaking change must raise the major number of info.version in ${CONTRACT}`);
  process.exitCode = 1;
}

/** By oasdiff's errors and warnings: it warns where it can't prove a change harmless, as of a pattern. */
function breakingChanges(base: Document, revision: Document): Change[] {
  const bin = fileURLToPath(new URL(`../node_modules/.cache/${OASDIFF}`, import.meta.url));
  if (!existsSync(`${bin}/oasdiff`)) {
    console.error(`Installing ${OASDIFF}`);
    run('go install failed, oasdiff needs Go', 'go', ['install', OASDIFF], { env: { ...process.env, GOBIN: bin } });
  }
  const cwd = mkdtempSync(`${tmpdir()}/contract-diff-`);
  writeFileSync(`${cwd}/base.json`, served(base));
  writeFileSync(`${cwd}/revision.json`, served(revision));
  writeFileSync(`${cwd}/levels`, RAISED_TO_ERRORS.map((id) => `${id} err\n`).join(''));
  const options = ['--format=json', '--flatten-params', '--severity-levels=levels'];
  process.on('exit', () => rmSync(cwd, { recursive: true }));
  const files = ['base.json', 'revision.json'];
  return JSON.parse(run('oasdiff failed', `${bin}/oasdiff`, ['breaking', ...files, ...options], { cwd }));
}

function served(contract: Document): string {
  return JSON.stringify({ ...createServedDocument(withHeadersOfEveryReply(contract)).asObject(), servers: undefined });
}

/** What version 1.0.0 said in another way: NUL, whose spelling RE2 does not read, and a YAML document, as a string. */
function inCurrentNotation(contract: string): Document {
  const document = parseDocument(contract.replaceAll('\\u0000', '\\x00'));
  document.deleteIn(['paths', '/openapi.yaml', 'get', 'responses', '200', 'content', 'application/yaml', 'schema']);
  return document.toJS();
}

function newestThatDiffers(): string {
  const now = readFileSync(CONTRACT, 'utf8');
  const commits = run('git log failed', 'git', ['log', '--first-parent', '--format=%H', '--', CONTRACT]).match(/\w+/g);
  return commits?.find((commit) => contractAt(commit) !== now) ?? fail(`no revision has another ${CONTRACT}`);
}

function contractAt(commit: string): string {
  return run(`there is no ${CONTRACT} at git revision ${commit}`, 'git', ['show', `${commit}:./${CONTRACT}`]);
}

function run(failure: string, file: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe', maxBuffer: 2 ** 26, ...options });
  } catch (error) {
    return fail(`${failure}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Not 1: that means a breaking change. */
function fail(message: string): never {
  return program.error(message, { exitCode: 2 });
}
