import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { breakingChanges, type PathItem } from '../scripts/breaking-changes.js';
import { command } from './command.js';

/** One path, with something of each kind that a change may touch. `id` is its operation's. */
function thing(id: string) {
  const name: Schema = { type: 'string', minLength: 1, maxLength: 10, pattern: '^a' };
  const size: Schema = { type: 'integer', minimum: 1, maximum: 9 };
  const color: Schema = { enum: ['red', 'blue'] };
  const token: Schema = { type: 'string', maxLength: 9, pattern: '^x' };
  const kind: Schema = { enum: ['a', 'b'] };
  const input = { type: 'object', required: ['name'], properties: { name, size, color } as Fields };
  const output = { type: 'object', required: ['token'], properties: { token, kind, fixed: { const: 'k' } } as Fields };
  const header = { required: true, schema: { type: 'string', const: 'x' } };
  const optional: Parameter = { name: 'X-Request-Id', in: 'header', schema: { type: 'string' } };
  const required: Parameter = { name: 'q', in: 'query', required: true, schema: { type: 'string' } };
  const content: Content = { 'application/json': { schema: input }, 'text/plain': { schema: { type: 'string' } } };
  const requestBody = { required: true, 'x-max-content-length': 100, content };
  const reply = {
    description: 'ok',
    headers: { ETag: header } as Headers,
    content: { 'application/json': { schema: output } } as Content,
  };
  const post = {
    operationId: id,
    description: 'A thing',
    parameters: [optional, required],
    requestBody,
    responses: { 200: reply, 404: { description: 'none' } } as Replies,
  };
  const item: PathItem = { post, get: { operationId: `${id}Get`, responses: { 200: { description: 'ok' } } } };
  return { item, post, optional, required, requestBody, input, output, reply, header, name, size, color, token, kind };
}
type Schema = { [keyword: string]: unknown };
type Fields = { [name: string]: Schema };
type Parameter = { name: string; in: string; required?: boolean; schema: Schema };
type Content = { [mediaType: string]: { schema: Schema } };
type Headers = { [name: string]: { required?: boolean; schema: Schema } };
type Replies = { [status: number]: { description: string; headers?: Headers; content?: Content } };
type Thing = ReturnType<typeof thing>;
type Edit = (thing: Thing) => void;

const BREAKING: { [what: string]: Edit } = {
  'an operation is removed': ({ item }) => delete item.get,
  'an operation has another id': ({ post }) => Object.assign(post, { operationId: 'another' }),
  'a status is removed': ({ post }) => delete post.responses[404],
  'a media type of the request is removed': ({ requestBody }) => delete requestBody.content['text/plain'],
  'a media type of the reply is another': ({ reply }) =>
    Object.assign(reply, { content: { 'text/plain': { schema: { type: 'string' } } } }),
  'a header of the reply is removed': ({ reply }) => delete reply.headers.ETag,
  'a header of the reply is no longer sent always': ({ header }) => Object.assign(header, { required: false }),
  'a header of the reply has another value': ({ header }) => Object.assign(header.schema, { const: 'y' }),
  'input: a field is removed': ({ input }) => delete input.properties.color,
  'input: a field becomes required': ({ input }) => input.required.push('size'),
  'input: a required field is added': ({ input }) =>
    Object.assign(input, { required: ['name', 'more'], properties: { ...input.properties, more: {} } }),
  'input: the type is another': ({ size }) => Object.assign(size, { type: 'string' }),
  'input: maxLength falls': ({ name }) => Object.assign(name, { maxLength: 5 }),
  'input: maxLength is added': ({ color }) => Object.assign(color, { maxLength: 5 }),
  'input: minLength rises': ({ name }) => Object.assign(name, { minLength: 2 }),
  'input: maximum falls': ({ size }) => Object.assign(size, { maximum: 8 }),
  'input: minimum rises': ({ size }) => Object.assign(size, { minimum: 2 }),
  'input: the pattern is another': ({ name }) => Object.assign(name, { pattern: '^b' }),
  'input: a pattern is added': ({ color }) => Object.assign(color, { pattern: '^b' }),
  'input: a value of an enum is removed': ({ color }) => Object.assign(color, { enum: ['red'] }),
  'input: fields that are not listed are refused': ({ input }) => Object.assign(input, { additionalProperties: false }),
  'input: the body has to be shorter': ({ requestBody }) => Object.assign(requestBody, { 'x-max-content-length': 99 }),
  'input: a parameter is removed': ({ post }) => post.parameters.pop(),
  'input: a parameter becomes required': ({ optional }) => Object.assign(optional, { required: true }),
  'input: a required parameter is added': ({ post, required }) => post.parameters.push({ ...required, name: 'r' }),
  'input: a parameter is tightened': ({ optional }) => Object.assign(optional.schema, { maxLength: 3 }),
  'output: a field is removed': ({ output }) => delete output.properties.kind,
  'output: a field is no longer sent always': ({ output }) => Object.assign(output, { required: [] }),
  'output: the type is another': ({ token }) => Object.assign(token, { type: 'integer' }),
  'output: a field may be null': ({ token }) => Object.assign(token, { type: ['string', 'null'] }),
  'output: a value is added to an enum': ({ kind }) => Object.assign(kind, { enum: ['a', 'b', 'c'] }),
  'output: a const is another': ({ output }) => Object.assign(output.properties, { fixed: { const: 'z' } }),
  'output: the pattern is removed': ({ token }) => delete token.pattern,
  'output: maxLength rises': ({ token }) => Object.assign(token, { maxLength: 20 }),
};

const NOT_BREAKING: { [what: string]: Edit } = {
  nothing: () => {},
  'a description is another': ({ post }) => Object.assign(post, { description: 'Another thing' }),
  'an operation is added': ({ item }) => Object.assign(item, { put: { operationId: 'more', responses: {} } }),
  'a status is added': ({ post }) => Object.assign(post.responses, { 429: { description: 'too many' } }),
  'a media type of the request is added': ({ requestBody }) =>
    Object.assign(requestBody.content, { 'text/csv': { schema: {} } }),
  'a header of the reply is added': ({ reply }) => Object.assign(reply.headers, { More: { schema: {} } }),
  'a parameter is declared for the whole path': ({ item, post }) =>
    Object.assign(item, { parameters: [post.parameters.shift()] }),
  'input: an optional field is added': ({ input }) => Object.assign(input.properties, { more: {} }),
  'input: a field becomes optional': ({ input }) => Object.assign(input, { required: [] }),
  'input: maxLength rises': ({ name }) => Object.assign(name, { maxLength: 20 }),
  'input: minLength falls': ({ name }) => Object.assign(name, { minLength: 0 }),
  'input: the pattern is removed': ({ name }) => delete name.pattern,
  'input: a value is added to an enum': ({ color }) => Object.assign(color, { enum: ['red', 'blue', 'green'] }),
  'input: the body may be longer': ({ requestBody }) => Object.assign(requestBody, { 'x-max-content-length': 101 }),
  'input: a parameter becomes optional': ({ required }) => Object.assign(required, { required: false }),
  'input: an optional parameter is added': ({ post, optional }) => post.parameters.push({ ...optional, name: 'r' }),
  'output: a field is added': ({ output }) => Object.assign(output.properties, { more: {} }),
  'output: a field is sent always': ({ output }) => output.required.push('kind'),
  'output: a value of an enum is removed': ({ kind }) => Object.assign(kind, { enum: ['a'] }),
  'output: maxLength falls': ({ token }) => Object.assign(token, { maxLength: 3 }),
  'output: an example is added': ({ token }) => Object.assign(token, { examples: ['xyz'] }),
};

function documentOf(paths: { [path: string]: PathItem }, version = '1.0.0') {
  return { openapi: '3.1.1', info: { title: 'Things', version }, servers: [{ url: '/' }], paths };
}

t.test('what breaks the clients of a contract', async (t) => {
  // Each change at a path of its own, so that one comparison tells them all.
  const edits = Object.entries({ ...BREAKING, ...NOT_BREAKING });
  const paths = (edited: boolean) =>
    edits.map(([, edit], index): [string, PathItem] => {
      const copy = thing(`thing${index}`);
      if (edited) edit(copy);
      return [`/thing${index}`, copy.item];
    });
  const base = documentOf(Object.fromEntries([...paths(false), ['/gone', thing('gone').item]]));
  const changes = breakingChanges(base, documentOf(Object.fromEntries(paths(true))));
  const at = (path: string) =>
    changes.filter((change) => change.startsWith(`${path}/`) || change.startsWith(`${path}:`));

  t.match(at('/gone'), [/removed/], 'a path is removed');
  for (const [index, [what]] of edits.entries()) {
    t.equal(at(`/thing${index}`).length > 0, what in BREAKING, `${what}: ${at(`/thing${index}`)}`);
  }
});

t.test('replies outside of operations are part of the contract', async (t) => {
  const outside = (replies: object) => ({ ...documentOf({}), 'x-replies-outside-operations': replies });
  const reply = { description: 'none' };
  t.match(breakingChanges(outside({ 400: reply, 404: reply }), outside({ 400: reply })), [/404/]);
  t.same(breakingChanges(outside({ 400: reply }), outside({ 400: reply, 404: reply })), []);
});

t.test('npm run contract:diff', async (t) => {
  const cwd = t.testdir();
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd });
  const script = fileURLToPath(new URL('../scripts/contract-diff.ts', import.meta.url));
  const tsx = import.meta.resolve('tsx');
  const diff = (...args: string[]) => command(cwd, process.execPath, '--import', tsx, script, ...args);
  const write = (edit: Edit, version?: string) => {
    const copy = thing('thing');
    edit(copy);
    return writeFile(`${cwd}/openapi.yaml`, JSON.stringify(documentOf({ '/thing': copy.item }, version)));
  };
  git('init', '-q');
  await write(() => {});
  git('add', '.');
  git('commit', '-qm', 'Declare a thing');

  t.match(await diff('HEAD'), { code: 0, output: /breaking: 0/ });
  await write(({ post }) => delete post.responses[404], '1.1.0');
  const broken = await diff('HEAD');
  t.match(broken, { code: 1, output: /1\.0\.0 at HEAD, 1\.1\.0 now; breaking: 1\n {2}\/thing\/post.*404/ });
  t.match(await diff('HEAD', '--unless-major-raised'), { code: 1, output: /has to raise the major number/ });
  await write(({ post }) => delete post.responses[404], '2.0.0');
  t.equal((await diff('HEAD')).code, 1, 'it breaks all the same');
  t.match(await diff('HEAD', '--unless-major-raised'), { code: 0, output: /breaking: 1/ });
  t.match(await diff('nothing'), { code: 2, output: /there is no openapi.yaml at git revision nothing/ });
  t.match(await diff('--nothing'), { code: 1, output: /unknown option/ });
});
