import { execFileSync, spawnSync } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type Document, parseDocument } from 'yaml';
import { command } from '../test/support/command.js';

const SCRIPT = fileURLToPath(new URL('../scripts/contract-diff.ts', import.meta.url));
const TSX = import.meta.resolve('tsx');
const noGo = spawnSync('go', ['version']).error !== undefined && 'not run here: no go';

const LOGIN = ['paths', '/api/v1/sessions', 'post'];
const BODY = [...LOGIN, 'requestBody', 'content'];
const SESSION = [...LOGIN, 'responses', '200'];
const INPUT = ['components', 'schemas', 'Credentials'];
const EMAIL = ['components', 'schemas', 'Email'];
const PASSWORD = ['components', 'schemas', 'Password'];
const OUTPUT = ['components', 'schemas', 'Session'];
const TOKEN = [...OUTPUT, 'properties', 'auth_token'];
const ERROR = ['components', 'schemas', 'Error'];
const HEADERS = ['components', 'headers'];
const COLOR = [...INPUT, 'properties', 'color'];
const KIND = [...OUTPUT, 'properties', 'kind'];
const LIMIT = { name: 'limit', in: 'query', required: true, schema: { type: 'integer' } };

type Edit = (contract: Document) => unknown;
const set =
  (path: (string | number)[], value: unknown): Edit =>
  (contract) =>
    contract.setIn(path, contract.createNode(value));
const remove =
  (...path: (string | number)[]): Edit =>
  (contract) =>
    contract.deleteIn(path);
const both =
  (...edits: Edit[]): Edit =>
  (contract) =>
    edits.map((edit) => edit(contract));

/** Gives the contract at the base revision what some edits need. */
const widen = both(
  set([...LOGIN, 'requestBody', 'required'], false),
  set([...LOGIN, 'parameters', 1], LIMIT),
  set([...SESSION, 'headers', 'Age'], { schema: { type: 'integer' } }),
  set(COLOR, { enum: ['red', 'blue'] }),
  set(KIND, { enum: ['a', 'b'] }),
);

/** What breaks, by which of oasdiff's checks, and the edit. */
const BREAKING: [what: string, check: string, edit: Edit][] = [
  ['a path is removed', 'api-path-removed-without-deprecation', remove('paths', '/livez')],
  ['an operation has another id', 'api-operation-id-removed', set([...LOGIN, 'operationId'], 'logIn')],
  ['a status of success is removed', 'response-success-status-removed', remove(...SESSION)],
  ['a status of failure is removed', 'response-non-success-status-removed', remove(...LOGIN, 'responses', '429')],
  ['a media type of the request is removed', 'request-body-media-type-removed', remove(...BODY, 'application/json')],
  [
    'a media type of the reply is another',
    'response-media-type-removed',
    set([...SESSION, 'content'], { 'text/plain': { schema: { type: 'string' } } }),
  ],
  ['the body becomes required', 'request-body-became-required', set([...LOGIN, 'requestBody', 'required'], true)],
  ['a header of one reply is removed', 'required-response-header-removed', remove(...SESSION, 'headers', 'ETag')],
  [
    'a header of every reply is removed',
    'required-response-header-removed',
    remove('x-headers-of-every-reply', 'before', 'X-Frame-Options'),
  ],
  [
    'a header that is sent at times is removed',
    'optional-response-header-removed',
    remove(...SESSION, 'headers', 'Age'),
  ],
  [
    'a header is no longer sent always',
    'response-header-became-optional',
    set([...HEADERS, 'ETag', 'required'], false),
  ],
  [
    'a header has another type',
    'response-header-type-changed',
    set([...HEADERS, 'Retry-After', 'schema'], { type: 'string' }),
  ],
  ['input: a field is removed', 'request-property-removed', remove(...COLOR)],
  [
    'input: a field becomes required',
    'request-property-became-required',
    set([...INPUT, 'required'], ['email', 'password', 'color']),
  ],
  [
    'input: a required field is added',
    'new-required-request-property',
    both(
      set([...INPUT, 'required'], ['email', 'password', 'more']),
      set([...INPUT, 'properties', 'more'], { type: 'string' }),
    ),
  ],
  ['input: the type is another', 'request-property-type-changed', set([...EMAIL, 'type'], 'integer')],
  ['input: maxLength falls', 'request-property-max-length-decreased', set([...EMAIL, 'maxLength'], 253)],
  ['input: maxLength is added', 'request-property-max-length-set', set([...COLOR, 'maxLength'], 5)],
  ['input: minLength rises', 'request-property-min-length-increased', set([...PASSWORD, 'minLength'], 8)],
  ['input: the pattern is another', 'request-property-pattern-changed', set([...EMAIL, 'pattern'], '^a')],
  ['input: a pattern is added', 'request-property-pattern-added', set([...COLOR, 'pattern'], '^a')],
  ['input: a value of an enum is removed', 'request-property-enum-value-removed', set([...COLOR, 'enum'], ['red'])],
  ['input: a parameter is removed', 'request-parameter-removed', remove(...LOGIN, 'parameters', 1)],
  [
    'input: a parameter becomes required',
    'request-parameter-became-required',
    set(['components', 'parameters', 'RequestId', 'required'], true),
  ],
  [
    'input: a required parameter is added',
    'new-required-request-parameter',
    set([...LOGIN, 'parameters', 2], { ...LIMIT, name: 'more' }),
  ],
  [
    'input: a parameter is tightened',
    'request-parameter-max-length-set',
    set(['components', 'parameters', 'RequestId', 'schema', 'maxLength'], 3),
  ],
  ['output: a required field is removed', 'response-required-property-removed', remove(...TOKEN)],
  [
    'output: an optional field is removed',
    'response-optional-property-removed',
    remove(...ERROR, 'properties', 'errors'),
  ],
  ['output: a field is no longer sent always', 'response-property-became-optional', set([...OUTPUT, 'required'], [])],
  ['output: the type is another', 'response-property-type-changed', set([...TOKEN, 'type'], 'integer')],
  ['output: a field may be null', 'response-property-became-nullable', set([...TOKEN, 'type'], ['string', 'null'])],
  [
    'output: a value is added to an enum',
    'response-property-enum-value-added',
    set([...KIND, 'enum'], ['a', 'b', 'c']),
  ],
  [
    'output: a const is another',
    'response-property-const-changed',
    set(['components', 'schemas', 'Health', 'properties', 'status', 'const'], 'well'),
  ],
  ['output: the pattern is removed', 'response-property-pattern-removed', remove(...TOKEN, 'pattern')],
  ['output: the pattern is another', 'response-property-pattern-changed', set([...TOKEN, 'pattern'], '^x')],
];

const HARMLESS: [what: string, edit: Edit][] = [
  ['a description is another', set([...LOGIN, 'description'], 'Another')],
  ['an example is another', set(['components', 'examples', 'CorrectCredentials', 'value', 'password'], 'another')],
  ['an operation is added', set(['paths', '/more'], { get: { operationId: 'more', responses: {} } })],
  ['a status is added', set([...LOGIN, 'responses', '410'], { description: 'Gone' })],
  ['a media type of the request is added', set([...BODY, 'text/csv'], { schema: { type: 'string' } })],
  ['a header of the reply is added', set([...SESSION, 'headers', 'More'], { schema: { type: 'string' } })],
  ['the servers are others', set(['servers'], [{ url: 'https://login.example.com' }])],
  [
    'the order of media types is another',
    both(
      remove(...BODY, 'application/json'),
      set([...BODY, 'application/json'], { schema: { $ref: '#/components/schemas/Credentials' } }),
    ),
  ],
  ['input: an optional field is added', set([...INPUT, 'properties', 'more'], { type: 'string' })],
  ['input: a field becomes optional', set([...INPUT, 'required'], ['email'])],
  ['input: maxLength rises', set([...EMAIL, 'maxLength'], 255)],
  ['input: the pattern is removed', remove(...EMAIL, 'pattern')],
  ['input: a value is added to an enum', set([...COLOR, 'enum'], ['red', 'blue', 'green'])],
  ['input: a parameter becomes optional', set([...LOGIN, 'parameters', 1, 'required'], false)],
  ['output: a field is added', set([...OUTPUT, 'properties', 'more'], { type: 'string' })],
  ['output: a field is sent always', set([...ERROR, 'required'], ['message', 'errors'])],
  ['output: a value of an enum is removed', set([...KIND, 'enum'], ['a'])],
  ['output: maxLength is added', set([...TOKEN, 'maxLength'], 8192)],
];

/** What breaks too, but oasdiff does not check it, or it is not served. A row that fails here belongs above. */
const NOT_SEEN: [what: string, edit: Edit][] = [
  ['a header has another value', set([...HEADERS, 'X-Frame-Options', 'schema', 'const'], 'DENY')],
  ['a header has another pattern', set([...HEADERS, 'ETag', 'schema', 'pattern'], '^x')],
  ['input: fields that are not listed are refused', set([...INPUT, 'additionalProperties'], false)],
  [
    'output: a text may be anything',
    set(['paths', '/docs', 'get', 'responses', '200', 'content', 'text/html', 'schema'], {}),
  ],
  ['the body must be shorter', set([...LOGIN, 'requestBody', 'x-max-content-length'], 99)],
  ['a reply outside of operations is removed', remove('x-replies-outside-operations', '404')],
];

t.test('npm run contract:diff', { skip: noGo }, async (t) => {
  // Of as many rows at a time as there are cores.
  t.jobs = availableParallelism();
  const base = t.testdir();
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: base, encoding: 'utf8' });
  const diff = (cwd: string, ...args: string[]) => command(cwd, process.execPath, '--import', TSX, SCRIPT, ...args);
  const contract = parseDocument(await readFile(new URL('../openapi.yaml', import.meta.url), 'utf8'));
  widen(contract);
  const source = contract.toString();
  const edited = (edit: Edit) => {
    const copy = parseDocument(source);
    edit(copy);
    return copy.toString();
  };
  const write = (text: string) => writeFile(`${base}/openapi.yaml`, text);
  const commit = () => git('commit', '-qam', 'Change the contract');
  git('init', '-q', '--template=');
  await write(source);
  git('add', '.');
  commit();

  t.match(await diff(base, 'HEAD'), { code: 0, output: /breaking: 0/ }, 'nothing has changed');

  const run = async (t: Test, text: string) => {
    const cwd = t.testdir();
    await cp(base, cwd, { recursive: true });
    await writeFile(`${cwd}/openapi.yaml`, text);
    return diff(cwd, 'HEAD');
  };
  // One run for all that pass: what does not is named by the output.
  const pass = (name: string, rows: [what: string, edit: Edit][]) =>
    t.test(name, { buffered: true }, async (t) => {
      for (const [what, edit] of rows) t.not(edited(edit), source, what);
      t.match(await run(t, edited(both(...rows.map(([, edit]) => edit)))), { code: 0, output: /breaking: 0/ });
    });
  await Promise.all([
    pass('harmless', HARMLESS),
    pass('breaking, not seen', NOT_SEEN),
    ...BREAKING.map(([what, check, edit]) =>
      t.test(what, { buffered: true }, async (t) => {
        t.match(await run(t, edited(edit)), { code: 1, output: new RegExp(`\\[${check}\\]`) });
      }),
    ),
  ]);

  const gone = remove('paths', '/livez');
  const version = (text: string) => set(['info', 'version'], text);
  await write(edited(both(gone, version('1.99.0'))));
  t.match(await diff(base, '--unless-major-raised'), {
    code: 1,
    output: /breaking: 1\n.*must raise the major number/s,
  });
  await write(edited(both(gone, version('2.0.0'))));
  t.match(await diff(base), { code: 1, output: /, 2\.0\.0 now; breaking: 1\n {2}GET \/livez: .*removed/ });
  t.match(await diff(base, '--unless-major-raised'), { code: 0, output: /breaking: 1/ });

  commit();
  await writeFile(`${base}/another`, '');
  git('add', '.');
  commit();
  t.match(await diff(base, 'HEAD^'), { code: 0, output: /breaking: 0/ });
  t.match(await diff(base), { code: 1, output: /breaking: 1/ }, 'by default with the newest contract that differs');

  await write(source.replaceAll('\\x00', '\\u0000'));
  commit();
  await write(source);
  t.match(await diff(base, 'HEAD'), { code: 0, output: /breaking: 0/ }, 'two spellings of NUL');

  t.match(await diff(base, 'nothing'), { code: 2, output: /there is no openapi.yaml at git revision nothing/ });
  t.match(await diff(base, '--nothing'), { code: 1, output: /unknown option/ });
});
