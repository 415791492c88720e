/** docs/browsers.md: its backend-for-frontend, and its page in Chromium, against the service. */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { run, start } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { type Request, send } from '../test/support/send.js';
import { execute } from '../test/support/service.js';
import { CHEAP } from '../test/support/steady-logins.js';
import { freePort } from '../test/support/temporary-postgresql.js';
import { launchBrowser, noBrowser } from './browser/browser.js';
import { blocksOf } from './guide.js';

/** The backend trusts nobody, and the service the backend. */
const ENV = { ...CHEAP, TOKEN_TTL_SECONDS: '300', REFRESH_TOKEN_TTL_SECONDS: '2592000', TRUST_PROXY: '1' };
const CREDENTIALS = { email: 'foo@bar.com', password: 'correct horse' };
const CLEARED = '__Host-refresh=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict';
const STORED = /^__Host-refresh=rt_[\w-]+; Max-Age=2592000; Path=\/; HttpOnly; Secure; SameSite=Strict$/;

async function startBackend(t: Test) {
  const cwd = t.testdir();
  await run(['users', 'add', CREDENTIALS.email], { cwd, input: CREDENTIALS.password });
  const service = await start(t, { cwd, env: ENV });
  const [backend = '', page = ''] = await blocksOf('browsers.md', '## A backend-for-frontend', 'js');
  await writeFile(`${cwd}/backend.mjs`, backend);
  const port = await freePort();
  // Chromium stores Secure cookies of localhost without TLS.
  const origin = `http://localhost:${port}`;
  const env = { PATH: process.env.PATH, SESSIONS_API: service.url, ORIGIN: origin, PORT: String(port) };
  const child = spawn(process.execPath, [`${cwd}/backend.mjs`], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  t.teardown(() => child.kill());
  const url = `http://127.0.0.1:${port}`;
  while (!(await send(url, { path: '/' }).catch(() => undefined))) {
    if (child.exitCode !== null) throw new Error(`the backend exited with ${child.exitCode}`);
    await wait(50);
  }
  const post = (path: string, { headers, ...request }: Partial<Request> = {}) =>
    send(url, { method: 'POST', path, headers: { origin, 'user-agent': 'a page', ...headers }, ...request });
  return {
    service,
    origin,
    page,
    send: (request: Request) => send(url, request),
    logIn: (password = CREDENTIALS.password, more: Partial<Request> & { remember?: boolean } = {}) => {
      const { remember, ...request } = more;
      return post('/session/login', { body: JSON.stringify({ ...CREDENTIALS, password, remember }), ...request });
    },
    refresh: (cookie?: string) => post('/session/refresh', { headers: { ...(cookie && { cookie }) } }),
    logOut: (cookie?: string) => post('/session/logout', { headers: { ...(cookie && { cookie }) } }),
    renewals: () => service.output().split('"operationId":"refreshSession"').length - 1,
    /** Lets the minute pass in which a renewal returns the same refresh token again. */
    passMinute: () =>
      execute({ provider: 'sqlite', file: `${cwd}/data/sessions.db` }, 'UPDATE sessions SET last_used_at = 0'),
  };
}

/** What a browser sends of a stored cookie. */
const cookieOf = ({ headers }: { headers: { [name: string]: string | undefined } }) =>
  headers['set-cookie']?.split(';')[0] ?? '';

t.test('the backend-for-frontend', async (t) => {
  const { service, origin, ...backend } = await startBackend(t);
  const ask = (path: string, token: string) => send(service.url, { path, headers: bearer(token) });

  const loggedIn = await backend.logIn(CREDENTIALS.password, { localAddress: '127.0.0.2' });
  t.match(loggedIn, { status: 200, headers: { 'set-cookie': STORED, 'cache-control': 'no-store' } });
  const { auth_token: token, ...rest } = JSON.parse(loggedIn.body);
  t.same(rest, { expires_in: 300 }, 'the page gets no refresh token');
  const { sessions } = JSON.parse((await ask('/api/v1/user/sessions', token)).body);
  t.match(sessions, [{ address: '127.0.0.2', user_agent: 'a page' }], 'the service sees the user');

  t.match(await backend.logIn('toets'), { status: 401, headers: { 'set-cookie': undefined } });
  t.match(await backend.logIn(''), { status: 400, body: /password/, headers: { 'set-cookie': undefined } });
  t.match(await backend.logIn('x'.repeat(20_000)), { headers: { 'set-cookie': undefined } });
  const once = await backend.logIn(CREDENTIALS.password, { remember: false });
  t.match(once, { status: 200, headers: { 'set-cookie': CLEARED } }, 'not remembered');

  await backend.passMinute();
  const cookie = cookieOf(loggedIn);
  const renewed = await Promise.all(Array.from({ length: 10 }, () => backend.refresh(cookie)));
  const cookies = new Set(renewed.map(cookieOf));
  t.same(new Set(renewed.map(({ status }) => status)), new Set([200]), 'tabs renew at once');
  t.equal(cookies.size, 1, 'and get one cookie');
  const [successor = ''] = cookies;
  t.not(successor, cookie);
  await backend.passMinute();
  const repeated = await backend.refresh(cookie);
  t.equal(repeated.status, 200, 'a reply that was lost long ago');
  t.equal((await ask('/api/v1/session', JSON.parse(repeated.body).auth_token)).status, 200);

  const foreign = { method: 'POST', headers: { origin: 'https://evil.example.com', cookie: successor } };
  for (const path of ['/session/login', '/session/refresh', '/session/logout']) {
    t.equal((await backend.send({ path, ...foreign })).status, 403, `${path} from another origin`);
    t.equal((await backend.send({ path, method: 'POST', headers: { cookie: successor } })).status, 403, 'or from none');
    t.equal((await backend.send({ path, headers: { origin } })).status, 403, 'or by GET');
  }
  t.match(await backend.refresh(), { status: 401, body: /session_ended/ }, 'without a cookie');

  const current = cookieOf(repeated);
  const out = await backend.logOut(current);
  t.match(out, { status: 204, body: '', headers: { 'set-cookie': CLEARED } });
  t.equal((await ask('/api/v1/session', token)).status, 401, 'the log-out ends the session');
  t.match(await backend.refresh(current), { status: 401, headers: { 'set-cookie': CLEARED } });
  t.match(await backend.logOut(current), { status: 401, headers: { 'set-cookie': CLEARED } }, 'twice');

  service.kill('SIGTERM');
  await service.exited;
  const unavailable = { status: 503, headers: { 'retry-after': '1', 'set-cookie': undefined } };
  t.match(await backend.refresh(current), unavailable, 'the service is down');
  t.match(await backend.logIn(), unavailable);
});

t.test('the page', { skip: noBrowser }, async (t) => {
  const { service, origin, page: program, renewals, passMinute } = await startBackend(t);
  const page = await (await launchBrowser(t)).newPage();
  await page.route('**/page', (route) => route.fulfill({ contentType: 'text/html', body: '<p>A page' }));
  await page.route('**/page.js', (route) => route.fulfill({ contentType: 'text/javascript', body: program }));
  // An API of the application, which asks the service who calls.
  await page.route('**/orders', async (route) => {
    route.fulfill({ response: await route.fetch({ url: `${service.url}/api/v1/session` }) });
  });
  const tenAtOnce = `import('/page.js').then(({ authorizedFetch }) => Promise.all(
    Array.from({ length: 10 }, () => authorizedFetch('/orders').then(({ status }) => status))))`;
  const ten = (status: number) => Array(10).fill(status);

  await page.goto(`${origin}/page`);
  t.same(await page.evaluate(tenAtOnce), ten(401), 'before the login');
  t.equal(renewals(), 1);
  const login = `fetch('/session/login', { method: 'POST', body: '${JSON.stringify(CREDENTIALS)}' })
    .then(async (reply) => [reply.status, Object.keys(await reply.json())])`;
  t.same(await page.evaluate(login), [200, ['auth_token', 'expires_in']]);
  t.equal(await page.evaluate('document.cookie'), '', 'no script reads the cookie');
  t.match(await page.context().cookies(), [{ name: '__Host-refresh', httpOnly: true, secure: true }]);

  for (const load of [2, 3]) {
    await passMinute();
    await page.reload();
    t.same(await page.evaluate(tenAtOnce), ten(200), 'a page that was just loaded');
    t.equal(renewals(), load, 'renews once');
  }
  const logout = `fetch('/session/logout', { method: 'POST' }).then(({ status }) => status)`;
  t.equal(await page.evaluate(logout), 204);
  t.same(await page.evaluate(tenAtOnce), ten(401), 'after the log-out');
  t.same(await page.context().cookies(), []);
});
