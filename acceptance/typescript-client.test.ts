import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { command } from '../test/support/command.js';
import { run, start } from '../test/support/executable.js';
import { launchBrowser, noBrowser } from './browser/browser.js';

const CLIENT = fileURLToPath(new URL('../clients/typescript/', import.meta.url));
const TSC = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const NODE_TYPES = fileURLToPath(new URL('../node_modules/@types', import.meta.url));

const STRICT = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, target: 'ES2022' };
const ON_NODE = { module: 'NodeNext', types: ['node'], typeRoots: [NODE_TYPES] };
const IN_A_BROWSER = { module: 'ESNext', moduleResolution: 'Bundler', lib: ['ES2022', 'DOM'], types: [] };

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

  t.test('logs in as its README says', async (t) => {
    const demo = await start(t, { cwd }, ['demo']);
    const readme = await readFile(`${cwd}/node_modules/@sessions-api/client/README.md`, 'utf8');
    const [, program = ''] = readme.match(/^```ts\n(.*?)^```$/ms) ?? [];
    t.ok(program.includes('http://127.0.0.1:3000'));
    await writeFile(`${cwd}/readme.ts`, program.replace('http://127.0.0.1:3000', demo.url));
    await compile(t, cwd, ON_NODE);
    const { output } = await command(cwd, process.execPath, 'readme.js');
    t.match(output, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, 'a token');
  });

  t.test('logs in from a browser', { skip: noBrowser }, async (t) => {
    const page = await (await launchBrowser(t)).newPage();
    const imports = {
      '@sessions-api/client': '/node_modules/@sessions-api/client/dist/index.js',
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
  });
});
