/** docs/shop.md: its shops, in front of the service, and in front of one that fails. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { start } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { FORM, JSON_TYPE, type Reply, send } from '../test/support/send.js';
import { CHEAP } from '../test/support/steady-logins.js';
import { freePort } from '../test/support/temporary-postgresql.js';
import { blocksOf } from './guide.js';

const SHOPS = [
  { heading: 'Node.js', language: 'js', file: 'shop.mjs', program: process.execPath },
  { heading: 'Python', language: 'python', file: 'shop.py', program: 'python3' },
];
const MAX_LINES = 99;
const ADMIN_TOKEN = 'YWRtaW4gdG9rZW4gb2YgdGhlIHNob3AgYW5kIG9m+/Y=';
/** One failure more, from an address that the user has not logged in from, is a lockout for a day. */
const THROTTLE_EMAIL = 5;
const ENV = { ...CHEAP, ADMIN_TOKENS: ADMIN_TOKEN, TRUST_PROXY: '1', THROTTLE_EMAIL: String(THROTTLE_EMAIL) };
const STAFF = { email: 'staff@shop.example.com', password: 'the password of staff' };
const HOME = '127.0.0.2';
const ELSEWHERE = '127.0.0.3';

type Fields = { [name: string]: string };

/** @param cwd - a directory of the test */
async function startShop(t: Test, cwd: string, shop: (typeof SHOPS)[number], service: string) {
  const { heading, language, file, program } = shop;
  const [code = ''] = await blocksOf('shop.md', `## ${heading}`, language);
  t.ok(code.trimEnd().split('\n').length <= MAX_LINES, `at most ${MAX_LINES} lines`);
  await writeFile(`${cwd}/${file}`, code);
  const port = await freePort();
  const env = { PATH: process.env.PATH, SESSIONS_API: service, ADMIN_TOKEN, STAFF: '1', PORT: String(port) };
  const child = spawn(program, [`${cwd}/${file}`], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const lines = createInterface({ input: child.stdout });
  const mails: string[] = [];
  lines.on('line', (line) => mails.push(line));
  const url = `http://127.0.0.1:${port}`;
  while (!(await send(url, { path: '/' }).catch(() => undefined))) {
    if (child.exitCode !== null) throw new Error(`the shop exited with ${child.exitCode}`);
    await wait(50);
  }
  return {
    mails,
    /** Resolves with the one-time token of the next mail. */
    async nextMail() {
      const [line] = await once(lines, 'line');
      return String(line).split('#')[1] ?? '';
    },
    post(path: string, fields: Fields, { token, from = HOME }: { token?: string; from?: string } = {}) {
      const headers = { ...FORM, 'user-agent': 'a browser', ...(token && bearer(token)) };
      const body = new URLSearchParams(fields).toString();
      return send(url, { method: 'POST', path, headers, body, localAddress: from });
    },
    account: (token: string) => send(url, { path: '/account', headers: bearer(token) }),
  };
}

const json = ({ body }: Reply) => JSON.parse(body);

type Failure = { status: number; code?: string; retryAfter?: number };

/** A service that gives these replies, one after the other. */
async function startFailing(t: Test, replies: Failure[]) {
  const server = createServer((_request, response) => {
    const { status, code, retryAfter = 0 } = replies.shift() ?? { status: 500 };
    response
      .writeHead(status, { 'retry-after': String(retryAfter) })
      .end(JSON.stringify({ message: 'a message', code }));
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${port}`;
}

for (const shop of SHOPS) {
  const isMissing = spawnSync(shop.program, ['--version']).status !== 0;
  t.test(`the shop in ${shop.heading}`, { skip: isMissing && `no ${shop.program}` }, async (t) => {
    const cwd = t.testdir();
    const service = await start(t, { cwd, env: ENV });
    const ask = (path: string, body?: object) => {
      const headers = { ...JSON_TYPE, ...bearer(ADMIN_TOKEN) };
      return send(service.url, { method: body ? 'POST' : 'GET', path, headers, body: JSON.stringify(body) });
    };
    await ask('/api/v1/users', STAFF);
    const { mails, nextMail, post, account } = await startShop(t, cwd, shop, service.url);
    const email = 'ann@example.com';
    const logIn = (password: string, from = HOME) => post('/login', { email, password }, { from });

    const weak = await post('/sign-up', { email, password: '12345678' });
    t.match(weak, { status: 422, body: /password_too_common/ }, 'a weak password');
    const forged = { email, password: 'the first one', id: '77', email_confirmed: 'true', password_digest: 'x' };
    const signedUp = await post('/sign-up', forged);
    t.equal(signedUp.status, 201, 'sign-up');
    const { id } = json(signedUp);
    t.match(json(signedUp), { id: 2, email, email_confirmed_at: undefined }, 'without the fields of the service');
    t.match(await post('/sign-up', forged), { status: 409, body: /email_taken/ }, 'twice');

    t.match(await logIn('a wrong one'), { status: 401, body: /Invalid credentials/ });
    const { auth_token: first } = json(await logIn('the first one'));
    t.match(json(await account(first)), { id, email }, 'login');
    const { sessions } = json(await ask(`/api/v1/users/${id}/sessions`));
    t.match(sessions, [{ address: HOME, user_agent: 'a browser' }], 'the service sees the customer');

    const change = (current_password: string, token: string) =>
      post('/change-password', { current_password, password: 'the second one' }, { token });
    t.match(await change('a wrong one', first), { status: 403, body: /wrong_password/ });
    const { auth_token: second } = json(await change('the first one', first));
    t.equal((await account(first)).status, 401, 'a change ends sessions');
    t.equal((await account(second)).status, 200, 'and starts one');
    t.equal((await logIn('the first one')).status, 401, 'the old password');

    t.equal((await post('/forgot-password', { email: 'nobody@example.com' })).status, 202);
    t.equal((await post('/forgot-password', { email: 'malformed' })).status, 202);
    const mail = nextMail();
    t.equal((await post('/forgot-password', { email })).status, 202);
    const token = await mail;
    t.equal(mails.length, 1, 'only a user gets a mail');
    t.match(await post('/reset-password', { token, password: 'short' }), { status: 422 }, 'it stays good');
    t.equal((await post('/reset-password', { token, password: 'the third one' })).status, 204, 'reset');
    t.match(await post('/reset-password', { token, password: 'the third one' }), { status: 403 }, 'it is used');
    t.equal((await account(second)).status, 401, 'a reset ends sessions');
    t.equal((await logIn('the second one')).status, 401);
    const { auth_token: third } = json(await logIn('the third one'));

    for (let failure = 0; failure < THROTTLE_EMAIL; failure += 1) await logIn('a wrong one', ELSEWHERE);
    const locked = await logIn('the third one', ELSEWHERE);
    t.match(locked, { status: 429, headers: { 'retry-after': /^\d{4,}$/ } }, 'a lockout');
    t.equal((await logIn('the third one')).status, 200, 'but not at home');
    for (const path of ['/staff/unlock', '/staff/disable', '/staff/delete']) {
      t.equal((await post(path, { id: String(id) }, { token: third })).status, 403, `${path} is not for customers`);
      t.equal((await post(path, { id: String(id) })).status, 401, 'nor for strangers');
    }
    const { auth_token: staff } = json(await post('/login', STAFF));
    const byStaff = (action: string, of = String(id)) => post(`/staff/${action}`, { id: of }, { token: staff });
    t.equal((await byStaff('unlock')).status, 204);
    t.equal((await logIn('the third one', ELSEWHERE)).status, 200, 'unlocked');

    t.match(await byStaff('disable', '1/lockout'), { status: 400 }, 'an id is not a path');
    t.equal((await byStaff('disable')).status, 200);
    t.equal((await account(third)).status, 401, 'disabled: refused at once');
    t.equal((await logIn('the third one')).status, 401);
    t.equal((await post('/forgot-password', { email })).status, 202);
    t.equal((await byStaff('delete')).status, 204);
    t.equal((await byStaff('delete')).status, 404, 'deleted');
    t.equal(mails.length, 1, 'nor a mail while disabled');

    service.kill('SIGTERM');
    await service.exited;
    t.match(await logIn('the third one'), { status: 503, headers: { 'retry-after': '1' } }, 'the service is down');
  });

  t.test(`repetitions of the shop in ${shop.heading}`, { skip: isMissing && `no ${shop.program}` }, async (t) => {
    const overloaded = { status: 503, code: 'overloaded' };
    const unavailable = { status: 503, code: 'service_unavailable' };
    const replies: Failure[] = [];
    const { post, account } = await startShop(t, t.testdir(), shop, await startFailing(t, replies));
    const signUp = () => post('/sign-up', { email: 'ann@example.com', password: 'the first one' });

    replies.push(overloaded, { status: 422 });
    t.equal((await signUp()).status, 422, 'overloaded: repeated');
    replies.push(overloaded, overloaded, { status: 422 });
    t.equal((await signUp()).status, 503, 'once');
    t.equal(replies.splice(0).length, 1);
    replies.push({ ...overloaded, retryAfter: 60 }, { status: 422 });
    t.match(await signUp(), { status: 503, headers: { 'retry-after': '60' } }, 'a long wait is the customer’s');
    t.equal(replies.splice(0).length, 1);
    replies.push(unavailable, { status: 422 });
    t.equal((await signUp()).status, 503, 'another 503 may follow a commit');
    t.equal(replies.splice(0).length, 1);
    replies.push(unavailable, { status: 200 });
    t.equal((await account('a token')).status, 200, 'a GET is repeated');
    replies.push({ status: 401 });
    t.equal((await signUp()).status, 503, 'a refused admin token is not the customer’s 401');
    replies.push({ status: 401 });
    t.equal((await account('a token')).status, 401);
  });
}
