import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { command } from '../test/support/command.js';
import { run, start } from '../test/support/executable.js';
import { execute } from '../test/support/service.js';
import { launchBrowser, noBrowser } from './browser/browser.js';

const CLIENT = fileURLToPath(new URL('../clients/typescript/', import.meta.url));
const TSC = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const NODE_TYPES = fileURLToPath(new URL('../node_modules/@types', import.meta.url));

const STRICT = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, target: 'ES2022' };
const ON_NODE = { module: 'NodeNext', types: ['node'], typeRoots: [NODE_TYPES] };
const IN_A_BROWSER = { module: 'ESNext', moduleResolution: 'Bundler', lib: ['ES2022', 'DOM'], types: [] };

const TOKEN_TTL_SECONDS = 5;
const RENEWABLE = { TOKEN_TTL_SECONDS: String(TOKEN_TTL_SECONDS), REFRESH_TOKEN_TTL_SECONDS: '600' };

const PER_STATUS = `
import { createSession } from '@sessions-api/client';

const reply = await createSession({ email: 'foo@bar.com', password: 'foobar' });
// @ts-expect-error: there may be no token yet
reply.data.auth_token;
if (reply.status === 200) reply.data.auth_token satisfies string;
// @ts-expect-error: a 401 has none
if (reply.status === 401) reply.data.auth_token;
if (reply.status === 401) reply.data.message satisfies 'Invalid credentials';
if (reply.status === 400) reply.data.errors satisfies { field: string; message: string }[] | undefined;
// @ts-expect-error: the contract has no such status
if (reply.status === 204) reply.data;
// @ts-expect-error: the password is missing
await createSession({ email: 'foo@bar.com' });
`;

const SESSION = `
import { createSession, defaults, deleteSession as logOut, getSession } from '@sessions-api/client';

const [baseUrl = '', password = ''] = process.argv.slice(2);
defaults.baseUrl = baseUrl;
const login = await createSession({ email: 'foo@bar.com', password });
if (login.status !== 200) throw new Error(login.data.message);
const authorized = { headers: { Authorization: \`Bearer \${login.data.auth_token}\` } };
const before = await getSession({}, authorized);
if (before.status === 200) before.data.user_id satisfies number;
const { status } = await logOut({}, authorized);
const after = await getSession({}, authorized);
console.log(JSON.stringify([before.status, status, after.status]));
`;

const LOGINS = `
import { createSession, defaults } from '@sessions-api/client';

const [baseUrl = '', ...passwords] = process.argv.slice(2);
defaults.baseUrl = baseUrl;
const replies = [];
for (const password of passwords) {
  const reply = await createSession({ email: 'foo@bar.com', password }, { xRequestId: 'mine' });
  replies.push({ status: reply.status, data: reply.data, requestId: reply.headers.get('x-request-id') });
}
console.log(JSON.stringify(replies));
`;

/** Logs in, or goes on with a refresh token; prints what an application sees whose token expires. */
const KEPT_SESSION = `
import { setTimeout as wait } from 'node:timers/promises';
import { defaults, getSession } from '@sessions-api/client';
import { keepSession } from '@sessions-api/client/session';

const [baseUrl = '', password = '', refreshToken] = process.argv.slice(2);
defaults.baseUrl = baseUrl;
let kept = refreshToken;
const onRefreshToken = (refreshToken: string | undefined) => {
  kept = refreshToken;
};
const session = keepSession({ refreshToken, onRefreshToken });
const tenAtOnce = () =>
  Promise.all(Array.from({ length: 10 }, async () => (await getSession({}, { fetch: session.fetch })).status));
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
  const out = (await session.logOut()).status;
  const isForgotten = kept === undefined;
  const after = await tenAtOnce();
  const ended = keepSession({ refreshToken, onRefreshToken });
  const revived = (await ended.fetch(baseUrl + '/api/v1/session')).status;
  const overloaded = async () => new Response('{}', { status: 503, headers: { 'retry-after': '7' } });
  const failing = keepSession({ refreshToken, request: { fetch: overloaded } });
  const failure = await failing.fetch(baseUrl).catch(({ name, status, retryAfter }) => ({ name, status, retryAfter }));
  console.log(JSON.stringify({ statuses, isAnother, unnoticed, out, isForgotten, after, revived, failure }));
}
`;

/** What the README's second program expects around it. */
const PROLOGUE = `
import { defaults } from '@sessions-api/client';

const [baseUrl = ''] = process.argv.slice(2);
defaults.baseUrl = baseUrl;
const ordersUrl = \`\${baseUrl}/livez\`;
const secrets = new Map<string, string | undefined>();
`;

/** Checks programs against the installed package, and makes JavaScript of them. */
async function compile(t: Test, cwd: string, compilerOptions: object) {
  await writeFile(`${cwd}/tsconfig.json`, JSON.stringify({ compilerOptions: { ...STRICT, ...compilerOptions } }));
  t.same(await command(cwd, process.execPath, TSC), { code: 0, output: '' }, 'compiles');
}

t.test('@sessions-api/client, packed and installed in an empty project', async (t) => {
  const cwd = t.testdir({ 'package.json': '{ "type": "module" }' });
  const packed = await command(CLIENT, 'npm', 'pack', '--silent', '--pack-destination', cwd);
  t.equal(packed.code, 0, packed.output);
  const installed = await command(cwd, 'npm', 'install', '--silent', packed.output.trim());
  t.equal(installed.code, 0, installed.output);

  const password = 'p&=+% ä🔑';
  await run(['users', 'add', 'foo@bar.com'], { cwd, input: `${password}\n` });
  const service = await start(t, { cwd });

  t.test('types each status, in a browser and on Node.js', async (t) => {
    await writeFile(`${cwd}/per-status.ts`, PER_STATUS);
    await compile(t, cwd, { ...IN_A_BROWSER, noEmit: true });
    await compile(t, cwd, ON_NODE);
  });

  t.test('logs in', async (t) => {
    await writeFile(`${cwd}/logins.ts`, LOGINS);
    await compile(t, cwd, ON_NODE);
    const { code, output } = await command(cwd, process.execPath, 'logins.js', service.url, password, 'toets', '');
    t.equal(code, 0, output);
    const [right, wrong, malformed] = JSON.parse(output);
    t.match(right, { status: 200, data: { auth_token: /^[\w-]+\.[\w-]+\.[\w-]+$/ }, requestId: 'mine' });
    t.same(wrong, { status: 401, data: { message: 'Invalid credentials' }, requestId: 'mine' });
    t.match(malformed, { status: 400, data: { errors: [{ field: 'password' }] }, requestId: 'mine' });
  });

  t.test('shows the session of a token, and logs out', async (t) => {
    await writeFile(`${cwd}/session.ts`, SESSION);
    await compile(t, cwd, ON_NODE);
    const { output } = await command(cwd, process.execPath, 'session.js', service.url, password);
    t.equal(output, '[200,204,401]\n');
  });

  t.test('keeps a session: one renewal for parallel requests, until it has ended', async (t) => {
    const renewable = await start(t, { cwd, env: RENEWABLE });
    await writeFile(`${cwd}/kept-session.ts`, KEPT_SESSION);
    await compile(t, cwd, ON_NODE);
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
      out: 204,
      isForgotten: true,
      after: ten(401),
      revived: 401,
      failure: { name: 'RenewalFailed', status: 503, retryAfter: '7' },
    });
    const lines = renewable.output().split('\n');
    const renewals = lines.filter((line) => line.includes('"operationId":"refreshSession"'));
    t.same(
      renewals.map((line) => JSON.parse(line).renewal),
      ['renewed', 'repeated', 'session_ended'],
      'one for ten at once, one for ten that a 401 surprised, one after the log-out',
    );
  });

  t.test('logs in as its README says', async (t) => {
    const demo = await start(t, { cwd }, ['demo']);
    const readme = await readFile(`${cwd}/node_modules/@sessions-api/client/README.md`, 'utf8');
    const [, program = ''] = readme.match(/^```ts\n(.*?)^```$/ms) ?? [];
    t.ok(program.includes('http://127.0.0.1:3000'));
    await writeFile(`${cwd}/readme.ts`, program.replace('http://127.0.0.1:3000', demo.url));
    await compile(t, cwd, ON_NODE);
    const { output } = await command(cwd, process.execPath, 'readme.js');
    t.match(output, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, 'a token');

    const [, keeping = ''] = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block);
    await writeFile(`${cwd}/readme-keeping.ts`, `${PROLOGUE}${keeping}`);
    await compile(t, cwd, ON_NODE);
    const kept = await command(cwd, process.execPath, 'readme-keeping.js', demo.url);
    t.same(kept, { code: 0, output: '1\n' }, 'the user’s id');
  });

  t.test('logs in from a browser', { skip: noBrowser }, async (t) => {
    const page = await (await launchBrowser(t)).newPage();
    const imports = {
      '@sessions-api/client': '/node_modules/@sessions-api/client/dist/index.js',
      '@sessions-api/client/session': '/node_modules/@sessions-api/client/dist/session.js',
      '@oazapfts/runtime': '/node_modules/@oazapfts/runtime/index.js',
      '@oazapfts/runtime/query': '/node_modules/@oazapfts/runtime/query.js',
    };
    const html = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
    await page.route('**/page', (route) => route.fulfill({ contentType: 'text/html', body: html }));
    await page.route('**/node_modules/**', (route) =>
      route.fulfill({ path: `${cwd}${new URL(route.request().url()).pathname}` }),
    );
    await page.goto(`${service.url}/page`);
    const login = (secret: string) => `import('@sessions-api/client').then(({ createSession }) =>
      createSession({ email: 'foo@bar.com', password: ${JSON.stringify(secret)} }))`;
    t.match(await page.evaluate(login(password)), { status: 200, data: { auth_token: String } });
    t.match(await page.evaluate(login('toets')), { status: 401, data: { message: 'Invalid credentials' } });
    const kept = `import('@sessions-api/client/session').then(async ({ keepSession }) => {
      const session = keepSession();
      await session.logIn({ email: 'foo@bar.com', password: ${JSON.stringify(password)} });
      const { status } = await session.fetch('/api/v1/session');
      return [status, (await session.logOut()).status, (await session.fetch('/api/v1/session')).status];
    })`;
    t.same(await page.evaluate(kept), [200, 204, 401], 'and keeps the session');
  });
});
