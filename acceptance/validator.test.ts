/** The exchanges of the contract tests, judged by the served document with a validator that nobody here wrote. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type Document, parseDocument } from 'yaml';
import { type RecordedExchange, readRecords } from '../test/support/record.js';
import { RESULTS } from './contract-results.js';

const fileAt = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const VALIDATOR = fileAt('../node_modules/.cache/validator/validator');
const SERVED = fileAt('../src/generated/openapi.yaml');
const noGo = spawnSync('go', ['version']).error !== undefined && 'not run here: no go';

const OK = ['responses', '200'];
const GET_SESSION = ['paths', '/api/v1/session', 'get', ...OK];
const CREATE_USER = ['paths', '/api/v1/users', 'post'];
const SCHEMAS = ['components', 'schemas'];
const PASSWORD = [...SCHEMAS, 'Password'];

type Edit = (contract: Document) => unknown;
const set =
  (path: string[], value: unknown): Edit =>
  (contract) =>
    contract.setIn(path, contract.createNode(value));
const remove =
  (...path: string[]): Edit =>
  (contract) =>
    contract.deleteIn(path);

/** What is wrong with a document, the edit that makes it so, and what the validator says. */
const WRONG: [what: string, edit: Edit, said: RegExp][] = [
  ['a path is missing', remove('paths', '/livez'), /GET \/livez, 200: the document has no such path/],
  ['a method is missing', remove('paths', '/api/v1/session', 'get'), /session, 200: the path has no such method/],
  ['a status is missing', remove(...CREATE_USER, 'responses', '409'), /users, 409: the reply: .*409/],
  [
    'a header is missing',
    remove(...GET_SESSION, 'headers', 'Cache-Control'),
    /session, 200: the reply: .*Cache-Control/,
  ],
  ['a header is never sent', set([...GET_SESSION, 'headers', 'Age'], { required: true }), /session, 200: .*'Age'/],
  [
    'a header has another value',
    set(['components', 'headers', 'X-Frame-Options', 'schema', 'const'], 'DENY'),
    /200: the reply: .*X-Frame-Options/i,
  ],
  [
    'a media type is another',
    set([...GET_SESSION, 'content'], { 'text/plain': {} }),
    /session, 200: .*application\/json/,
  ],
  ['a field of a reply is missing', remove(...SCHEMAS, 'CurrentSession', 'properties', 'sid'), /session, 200: .*sid/],
  [
    'a schema of a reply is too narrow',
    set([...SCHEMAS, 'CurrentSession', 'properties', 'user_id', 'maximum'], 0),
    /session, 200: the reply: .*maximum/,
  ],
  [
    'a schema of a request is too narrow',
    set([...PASSWORD, 'maxLength'], 5),
    /sessions, 200: processed, but the document forbids it: .*maxLength/,
  ],
  [
    'a schema of a request is too wide',
    remove(...PASSWORD, 'minLength'),
    /sessions, 400: refused, but the document allows it/,
  ],
  [
    'a parameter is too wide',
    set(['paths', '/api/v1/users', 'get', 'parameters', '5', 'schema'], { type: 'integer' }),
    /users\?limit=0, 400: refused, but the document allows it/,
  ],
  [
    'anybody may call, it says not',
    set(['paths', '/livez', 'get', 'security'], [{ adminToken: [] }]),
    /livez, 200: processed, but the document forbids it/,
  ],
];

const SECRET_FIELDS = /^(email|password|current_password|token|auth_token|refresh_token)$/;

/** Emails, passwords and tokens that requests and replies had. Short ones are words of the log too. */
function secretsIn(exchanges: RecordedExchange[]): string[] {
  const bodies = exchanges.flatMap(({ request, reply }) => {
    const [, bearer = ''] = String(request.headers?.authorization ?? '').split(' ');
    return [...membersOf(String(request.body ?? '')), ...membersOf(reply.body), ['token', bearer] as const];
  });
  const secrets = bodies.flatMap(([name, value]) => (SECRET_FIELDS.test(name) ? String(value) : []));
  return [...new Set(secrets)].filter((secret) => secret.length > 11 || /.@./.test(secret));
}

/** Of JSON, or a form. */
function membersOf(body: string): (readonly [string, unknown])[] {
  try {
    return Object.entries(JSON.parse(body) ?? {});
  } catch {
    return [...new URLSearchParams(body)];
  }
}

t.test('the contract tests, by libopenapi-validator', { skip: noGo }, async (t) => {
  const cwd = t.testdir();
  execFileSync('go', ['build', '-C', fileAt('validator'), '-o', VALIDATOR, '.'], { stdio: 'inherit' });
  const { exchanges, log } = await readRecords();
  const secrets = secretsIn(exchanges);
  t.ok(secrets.length > 1_000 && log.includes('"event":"user_created"'), `${secrets.length} secrets`);
  t.same(
    secrets.filter((secret) => log.includes(secret)),
    [],
    'the log of the whole run has no email, password or token',
  );

  const input = exchanges.map((exchange) => JSON.stringify(exchange)).join('\n');
  const judge = async (document: string, counts: string) => {
    const options = { input, maxBuffer: 2 ** 26 };
    const { stdout, status } = spawnSync(VALIDATOR, [document, counts], options);
    return { code: status, output: stdout.toString() };
  };
  await mkdir(RESULTS, { recursive: true });
  const served = await judge(SERVED, `${RESULTS}/validator.json`);
  t.equal(served.code, 0, served.output);
  t.comment(served.output);

  const source = await readFile(SERVED, 'utf8');
  for (const [what, edit, said] of WRONG) {
    const copy = parseDocument(source);
    edit(copy);
    await writeFile(`${cwd}/edited.yaml`, copy.toString());
    t.match(await judge(`${cwd}/edited.yaml`, `${cwd}/counts`), { code: 1, output: said }, `tells that ${what}`);
  }
});
