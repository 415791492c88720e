import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { loadContract } from '#built/contract/contract.js';
import { command } from '../test/support/command.js';
import { run, start } from '../test/support/executable.js';
import { execute } from '../test/support/service.js';
import { launchBrowser, noBrowser } from './browser/browser.js';

const CLIENT = fileURLToPath(new URL('../clients/typescript/', import.meta.url));
const TOOLS = fileURLToPath(new URL('typescript/node_modules/.bin/', import.meta.url));
const TSC = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const NODE_TYPES = fileURLToPath(new URL('../node_modules/@types', import.meta.url));

const STRICT = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, target: 'ES2022' };
const ON_NODE = { module: 'NodeNext', types: ['node'], typeRoots: [NODE_TYPES] };
const IN_A_BROWSER = { module: 'ESNext', moduleResolution: 'Bundler', lib: ['ES2022', 'DOM'], types: [] };

const MAX_BYTES = 6_000;
const ADMIN_TOKEN = randomBytes(32).toString('base64url');
const NEW_PASSWORD = 'correct horse battery';
const TOKEN_TTL_SECONDS = 5;
const RENEWABLE = { TOKEN_TTL_SECONDS: String(TOKEN_TTL_SECONDS), REFRESH_TOKEN_TTL_SECONDS: '600' };

const PER_STATUS = `
import { createAdminClient, createClient, createUserClient, type Schemas } from '@sessions-api/client';

const sessions = createClient();
const reply = await sessions.createSession({ email: 'foo@bar.com', password: 'foobar' });
// @ts-expect-error: there may be no token yet
reply.data.auth_token;
if (reply.ok) reply.data.auth_token satisfies string;
else reply.data.message satisfies string;
if (reply.status === 200) reply.data satisfies Schemas['Session'];
// @ts-expect-error: a 401 has none
if (reply.status === 401) reply.data.auth_token;
if (reply.status === 401) reply.data.message satisfies 'Invalid credentials';
if (reply.status === 400) reply.data.errors satisfies { field: string; message: string; code: string }[] | undefined;
// @ts-expect-error: the contract has no such status
if (reply.status === 204) reply.data;
// @ts-expect-error: the password is missing
await sessions.createSession({ email: 'foo@bar.com' });
// @ts-expect-error: for users
sessions.getSession;

const user = createUserClient({ token: '' });
const ended = await user.deleteOwnSessions({ keep_current: true });
if (ended.status === 204) ended.data satisfies undefined;
// @ts-expect-error: options are the second argument
await user.getSession({ signal: AbortSignal.timeout(1) });
// @ts-expect-error: for the application
user.createUser;

const users = createAdminClient({ token: '' });
// @ts-expect-error: a session's id is text
await users.deleteUserSession({ id: 1, sid: 1 });
const listed = await users.listUsers();
if (listed.ok) listed.data.users satisfies Schemas['User'][];
// @ts-expect-error: a token is missing
createAdminClient();
`;

const OPERATIONS = `
import { createAdminClient, createClient, createUserClient, UnexpectedReply } from '@sessions-api/client';

const [baseUrl = '', adminToken = ''] = process.argv.slice(2);
const credentials = { email: 'new@bar.com', password: 'p&=+% ä🔑 and more' };
const sessions = createClient({ baseUrl: baseUrl + '/' });
const users = createAdminClient({ baseUrl, token: adminToken });

const created = await users.createUser(credentials);
if (created.status !== 201) throw new Error(created.data.message);
const { id } = created.data;
const login = await sessions.createSession(credentials, { headers: { 'X-Request-Id': 'mine' } });
if (login.status !== 200) throw new Error(login.data.message);
const user = createUserClient({ baseUrl, token: login.data.auth_token });
const listed = await user.listOwnSessions();
if (listed.status !== 200) throw new Error(listed.data.message);
const [{ id: sid } = { id: '' }] = listed.data.sessions;
const found = await users.listUsers({ email_prefix: 'new@', limit: 1 });
const malformed = await sessions.createSession({ ...credentials, password: '' });
const html = () => createClient({ baseUrl: baseUrl + '/docs/#' }).getLiveness();
console.log(
  JSON.stringify({
    methods: [sessions, user, users].map((client) => Object.keys(client)),
    requestId: login.headers.get('X-Request-Id'),
    found: found.ok && found.data.users.map((user) => user.id === id),
    fields: malformed.status === 400 && malformed.data.errors?.map(({ field }) => field),
    document: typeof (await sessions.getContractAsYaml()).data,
    unexpected: await html().catch((error) => error instanceof UnexpectedReply && error.status),
    statuses: [
      await sessions.createSession({ ...credentials, password: 'toets' }),
      await user.authorizeRequest(),
      await users.updateUser({ id, disabled: false, version: 1000 }),
      await users.createPasswordReset({ id }),
      await users.deleteUserSession({ id, sid }),
      await user.getSession(),
      await users.deleteUser({ id }),
      await users.getUser({ id }),
      await createAdminClient({ baseUrl, token: login.data.auth_token }).getUser({ id }),
    ].map(({ status }) => status),
  }),
);
`;

/** What a client does at each of these replies, one after another, the first of which may be repeated or not. */
const RETRIES = `
import { createClient, createUserClient } from '@sessions-api/client';

type Answer = [status: number, code?: string, retryAfter?: string];
function answering(...answers: Answer[]) {
  const sent: string[] = [];
  const fetch = async (_: unknown, request?: RequestInit) => {
    const [status, code, retryAfter = '0'] = answers[sent.length] ?? [200];
    sent.push(String(request?.body ?? request?.method));
    const headers = { 'Content-Type': 'application/json', 'Retry-After': retryAfter };
    return new Response(JSON.stringify({ message: '', code }), { status, headers });
  };
  return { fetch, sent };
}
const post = async (options: object, ...answers: Answer[]) => {
  const { fetch, sent } = answering(...answers);
  const reply = await createClient({ fetch, ...options }).refreshSession({ refresh_token: 'a' });
  return [reply.status, sent.length];
};
const get = async (...answers: Answer[]) => {
  const { fetch, sent } = answering(...answers);
  const reply = await createUserClient({ fetch, token: '' }).getSession();
  return [reply.status, sent.length];
};
const aborted = async () => {
  const { fetch, sent } = answering([503, 'service_unavailable', '10']);
  const controller = new AbortController();
  const reply = createUserClient({ fetch, token: '' }).getSession({}, { signal: controller.signal });
  setImmediate(() => controller.abort('why'));
  return [await reply.catch((reason) => reason), sent.length];
};
console.log(
  JSON.stringify({
    overloaded: await post({}, [503, 'overloaded'], [429, 'too_many_requests']),
    perhapsDone: await post({}, [503, 'service_unavailable']),
    safe: await get([503, 'service_unavailable'], [503]),
    again: await get([503], [503], [503]),
    long: await post({}, [429, 'too_many_requests', '11']),
    patient: await post({ maxRetryAfter: 0, retries: 3 }, [429], [429], [429]),
    never: await post({ retries: 0 }, [429]),
    another: await post({}, [500]),
    aborted: await aborted(),
  }),
);
`;

/** Logs in, or goes on with a refresh token; prints what an application sees whose token expires. */
const KEPT_SESSION = `
import { setTimeout as wait } from 'node:timers/promises';
import { keepSession } from '@sessions-api/client';

const [baseUrl = '', password = '', refreshToken] = process.argv.slice(2);
let kept = refreshToken;
const onRefreshToken = (refreshToken: string | undefined) => {
  kept = refreshToken;
};
const session = keepSession({ baseUrl, refreshToken, onRefreshToken });
const tenAtOnce = () => Promise.all(Array.from({ length: 10 }, async () => (await session.user.getSession()).status));
if (!refreshToken) {
  await session.logIn({ email: 'foo@bar.com', password });
  console.log(JSON.stringify({ kept, statuses: await tenAtOnce() }));
} else {
  const statuses = await tenAtOnce();
  const isAnother = kept !== refreshToken;
  const stopped = Date.now();
  Date.now = () => stopped;
  await wait(${1_000 * TOKEN_TTL_SECONDS} + 100);
  const unnoticed = await tenAtOnce();
  const before = kept;
  const changed = await session.user.changePassword({ current_password: password, password: '${NEW_PASSWORD}' });
  const isKept = kept !== undefined && kept !== before;
  const current = (await session.user.listOwnSessions()).status;
  const out = (await session.logOut()).status;
  const isForgotten = kept === undefined;
  const after = await tenAtOnce();
  const ended = keepSession({ baseUrl, refreshToken, onRefreshToken });
  const revived = (await ended.fetch(baseUrl + '/api/v1/session')).status;
  const headers = { 'Content-Type': 'application/json', 'Retry-After': '70' };
  const overloaded = async () => new Response('{ "message": "" }', { status: 503, headers });
  const failing = keepSession({ refreshToken, fetch: overloaded });
  const failure = await failing.fetch(baseUrl).catch(({ name, status, retryAfter }) => ({ name, status, retryAfter }));
  console.log(
    JSON.stringify({
      statuses, isAnother, unnoticed, changed: changed.status, isKept, current, out, isForgotten, after, revived, failure,
    }),
  );
}
`;

/** What the README's programs expect around them. */
const PROLOGUE = `
const [baseUrl = '', adminToken = ''] = process.argv.slice(2);
const ordersUrl = \`\${baseUrl}/livez\`;
const secrets = new Map<string, string | undefined>();
`;

/** Checks programs against the installed package, and makes JavaScript of them. */
async function compile(t: Test, cwd: string, files: string[], compilerOptions: object) {
  await writeFile(
    `${cwd}/tsconfig.json`,
    JSON.stringify({ compilerOptions: { ...STRICT, ...compilerOptions }, files }),
  );
  t.same(await command(cwd, process.execPath, TSC), { code: 0, output: '' }, 'compiles');
}

t.test('@sessions-api/client, packed and installed in an empty project', async (t) => {
  const cwd = t.testdir({ 'package.json': '{ "type": "module" }' });
  const packed = await command(CLIENT, 'npm', 'pack', '--silent', '--pack-destination', cwd);
  t.equal(packed.code, 0, packed.output);
  const archive = packed.output.trim();
  const installed = await command(cwd, 'npm', 'install', '--silent', archive);
  t.equal(installed.code, 0, installed.output);
  t.same(await readdir(`${cwd}/node_modules/`), ['.package-lock.json', '@sessions-api'], 'has no dependency');

  const password = 'p&=+% ä🔑';
  await run(['users', 'add', 'foo@bar.com'], { cwd, input: `${password}\n` });
  const service = await start(t, { cwd, env: { ADMIN_TOKENS: ADMIN_TOKEN } });

  const demo = await start(t, { cwd }, ['demo']);
  const readme = await readFile(`${cwd}/node_modules/@sessions-api/client/README.md`, 'utf8');
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program = '']) => program);
  t.ok(examples[0]?.includes('http://127.0.0.1:3000'));
  const programs = {
    'per-status.ts': PER_STATUS,
    'operations.ts': OPERATIONS,
    'retries.ts': RETRIES,
    'kept-session.ts': KEPT_SESSION,
    ...Object.fromEntries(
      examples.map((example, index) => [
        `readme-${index}.ts`,
        `${PROLOGUE}${example.replace('http://127.0.0.1:3000', demo.url)}`,
      ]),
    ),
  };
  for (const [file, program] of Object.entries(programs)) await writeFile(`${cwd}/${file}`, program);
  await compile(t, cwd, ['per-status.ts'], { ...IN_A_BROWSER, noEmit: true });
  await compile(t, cwd, Object.keys(programs), ON_NODE);

  t.test('is resolved by each kind of TypeScript project', async (t) => {
    const found = await Promise.all([
      command(cwd, `${TOOLS}publint`, '--strict', archive),
      command(cwd, `${TOOLS}attw`, '--format=json', archive),
    ]);
    for (const { code, output } of found) t.equal(code, 0, 'finds nothing', { output });
  });

  t.test('is small', async (t) => {
    const entry = `${cwd}/node_modules/@sessions-api/client/dist/index.js`;
    const bundle = await command(cwd, `${TOOLS}esbuild`, '--bundle', '--minify', '--format=esm', entry);
    t.equal(bundle.code, 0);
    t.ok(bundle.output.length < MAX_BYTES, `${bundle.output.length} bytes`);
  });

  t.test('has each operation, on each runtime', async (t) => {
    const runtimes: { [name: string]: string[] } = {
      'Node.js': [process.execPath],
      Deno: [`${TOOLS}deno`, 'run', '--allow-net'],
      Bun: [`${TOOLS}bun`],
    };
    for (const [name, [file = '', ...args]] of Object.entries(runtimes)) {
      const { code, output } = await command(cwd, file, ...args, 'operations.js', service.url, ADMIN_TOKEN);
      t.equal(code, 0, output);
      const { methods, ...replies } = JSON.parse(output);
      t.same(
        methods.flat().sort(),
        loadContract()
          .operations.map(({ id }) => id)
          .sort(),
        name,
      );
      t.same(replies, {
        requestId: 'mine',
        found: [true],
        fields: ['password'],
        document: 'string',
        unexpected: 200,
        statuses: [401, 200, 409, 201, 204, 401, 204, 404, 401],
      });
    }
  });

  t.test('is required by CommonJS', async (t) => {
    const program = `const { createClient } = require('@sessions-api/client');
      createClient({ baseUrl: process.argv[2] }).getLiveness().then(({ data }) => console.log(data.status));`;
    await writeFile(`${cwd}/required.cjs`, program);
    t.same(await command(cwd, process.execPath, 'required.cjs', service.url), { code: 0, output: 'ok\n' });
  });

  t.test('sends again what can’t have happened', async (t) => {
    const { code, output } = await command(cwd, process.execPath, 'retries.js');
    t.equal(code, 0, output);
    t.same(JSON.parse(output), {
      overloaded: [200, 3],
      perhapsDone: [503, 1],
      safe: [200, 3],
      again: [503, 3],
      long: [429, 1],
      patient: [200, 4],
      never: [429, 1],
      another: [500, 1],
      aborted: ['why', 1],
    });
  });

  t.test('keeps a session: one renewal for parallel requests, until it has ended', async (t) => {
    const renewable = await start(t, { cwd, env: RENEWABLE });
    const go = async (...refreshToken: string[]) => {
      const { code, output } = await command(
        cwd,
        process.execPath,
        'kept-session.js',
        renewable.url,
        password,
        ...refreshToken,
      );
      t.equal(code, 0, output);
      return JSON.parse(output);
    };
    const ten = (status: number) => Array(10).fill(status);
    const { kept, statuses } = await go();
    t.same(statuses, ten(200));
    // A renewal returns the same refresh token for a minute after the login.
    await execute({ provider: 'sqlite', file: `${cwd}/data/sessions.db` }, 'UPDATE sessions SET last_used_at = 0');
    t.same(await go(kept), {
      statuses: ten(200),
      isAnother: true,
      unnoticed: ten(200),
      changed: 200,
      isKept: true,
      current: 200,
      out: 204,
      isForgotten: true,
      after: ten(401),
      revived: 401,
      failure: { name: 'RenewalFailed', status: 503, retryAfter: '70' },
    });
    const lines = renewable.output().split('\n');
    const renewals = lines.filter((line) => line.includes('"operationId":"refreshSession"'));
    t.same(
      renewals.map((line) => JSON.parse(line).renewal),
      ['renewed', 'repeated', 'session_ended'],
      'one for ten at once, one for ten that a 401 surprised, one after the log-out',
    );
  });

  t.test('runs as its README says', async (t) => {
    await demo.written('the admin token is');
    const [, adminToken = ''] = demo.output().match(/the admin token is (\S+)/) ?? [];
    const outputs = [/^[\w-]+\.[\w-]+\.[\w-]+\n$/, /^1\n$/, /^2\n$/];
    t.equal(examples.length, outputs.length);
    for (const [index, output] of outputs.entries()) {
      t.match(await command(cwd, process.execPath, `readme-${index}.js`, demo.url, adminToken), { code: 0, output });
    }
  });

  t.test('logs in from a browser', { skip: noBrowser }, async (t) => {
    const page = await (await launchBrowser(t)).newPage();
    const imports = { '@sessions-api/client': '/node_modules/@sessions-api/client/dist/index.js' };
    const html = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
    await page.route('**/page', (route) => route.fulfill({ contentType: 'text/html', body: html }));
    await page.route('**/node_modules/**', (route) =>
      route.fulfill({ path: `${cwd}${new URL(route.request().url()).pathname}` }),
    );
    await page.goto(`${service.url}/page`);
    const login = (secret: string) => `import('@sessions-api/client').then(({ createClient }) =>
      createClient().createSession({ email: 'foo@bar.com', password: ${JSON.stringify(secret)} }))`;
    t.match(await page.evaluate(login(NEW_PASSWORD)), { status: 200, data: { auth_token: String } });
    t.match(await page.evaluate(login('toets')), { status: 401, data: { message: 'Invalid credentials' } });
    const kept = `import('@sessions-api/client').then(async ({ keepSession }) => {
      const session = keepSession();
      await session.logIn({ email: 'foo@bar.com', password: '${NEW_PASSWORD}' });
      const { status } = await session.fetch('/api/v1/session');
      return [status, (await session.logOut()).status, (await session.user.getSession()).status];
    })`;
    t.same(await page.evaluate(kept), [200, 204, 401], 'and keeps the session');
  });
});
