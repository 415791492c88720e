import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { loadContract, operationNamed } from '#built/contract/contract.js';
import type { OperationId } from '#built/contract/handler.js';
import { run, start } from '../test/support/executable.js';
import { launchBrowser, noBrowser, type Page } from './browser/browser.js';

const contract = loadContract();
const { path } = operationNamed(contract, 'createSession');

const RENEWABLE = { TOKEN_TTL_SECONDS: '300', REFRESH_TOKEN_TTL_SECONDS: '2592000' };

/** Serves an empty page, and with it an origin of its own. */
async function servePage(t: Test): Promise<string> {
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>A page'));
  t.teardown(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Logs in with the page's own fetch; what it throws is the page's, too. */
function login(page: Page, url: string, type: 'form' | 'json', password: string): Promise<unknown> {
  const credentials = JSON.stringify({ email: 'foo@bar.com', password });
  const [body, contentType] =
    type === 'json'
      ? [`JSON.stringify(${credentials})`, 'application/json']
      : [`new URLSearchParams(${credentials})`, 'application/x-www-form-urlencoded'];
  const headers = JSON.stringify({ 'content-type': contentType, 'x-request-id': 'mine' });
  return page.evaluate(`fetch('${url}${path}', { method: 'POST', headers: ${headers}, body: ${body} })
    .then(async (reply) => ({
      status: reply.status,
      body: await reply.json(),
      requestId: reply.headers.get('x-request-id'),
    }), (error) => ({ thrown: error.name }))`);
}

/** What one fetch wrapper sends to each operation: tracing adds its headers everywhere, axios a content type. */
function wrapped(page: Page, url: string, id: OperationId, { token, body, sid = '' }: Sent = {}): Promise<unknown> {
  const { method, path } = operationNamed(contract, id);
  const headers = {
    'content-type': 'application/json',
    ...(token && { authorization: `Bearer ${token}` }),
    'x-request-id': id,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'congo=t61rcWkgMzE',
  };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  return page.evaluate(`fetch('${url}${path.replace('{sid}', sid)}', ${JSON.stringify(init)})
    .then(async (reply) => ({ status: reply.status, ...JSON.parse(await reply.text() || '{}') }),
      (error) => ({ thrown: error.name }))`);
}

type Sent = { token?: string; body?: object; sid?: string };

t.test('pages of other origins in a browser', { skip: noBrowser }, async (t) => {
  const [listed, unlisted] = [await servePage(t), await servePage(t)];
  const cwd = t.testdir();
  await run(['users', 'add', 'foo@bar.com'], { cwd, input: 'correct horse\n' });
  const { url } = await start(t, { cwd, env: { CORS_ORIGINS: `https://app.example.com,${listed}` } });
  const browser = await launchBrowser(t);
  const page = await browser.newPage();

  await page.goto(listed);
  for (const type of ['form', 'json'] as const) {
    t.match(
      await login(page, url, type, 'correct horse'),
      { status: 200, body: { auth_token: /\./ }, requestId: 'mine' },
      type,
    );
    t.same(
      await login(page, url, type, 'toets'),
      { status: 401, body: { message: 'Invalid credentials' }, requestId: 'mine' },
      type,
    );
    t.match(await login(page, url, type, ''), { status: 400, body: { errors: [{ field: 'password' }] } }, type);
  }
  t.same(await page.evaluate(`fetch('${url}${path}', { method: 'DELETE' }).catch((error) => error.name)`), 'TypeError');

  await page.goto(unlisted);
  for (const type of ['form', 'json'] as const) {
    t.same(
      await login(page, url, type, 'correct horse'),
      { thrown: 'TypeError' },
      `${type}, from an origin that is not listed`,
    );
  }
  const opaque = `new Promise((resolve) => {
    addEventListener('message', ({ data }) => resolve(data));
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts';
    frame.srcdoc = "<script>fetch('${url}/livez').then(() => 'read', (e) => e.name).then((m) => parent.postMessage(m, '*'))</script>";
    document.body.append(frame);
  })`;
  await page.goto(listed);
  t.equal(await page.evaluate(opaque), 'TypeError', 'a sandboxed frame has the origin null');
});

t.test('a page of a listed origin logs in, renews, lists, ends and logs out', { skip: noBrowser }, async (t) => {
  const listed = await servePage(t);
  const cwd = t.testdir();
  await run(['users', 'add', 'foo@bar.com'], { cwd, input: 'correct horse\n' });
  const { url } = await start(t, { cwd, env: { CORS_ORIGINS: listed, ...RENEWABLE } });
  const page = await (await launchBrowser(t)).newPage();
  await page.goto(listed);

  const body = { email: 'foo@bar.com', password: 'correct horse' };
  const other = await wrapped(page, url, 'createSession', { body });
  t.match(other, { status: 200 });
  const first = (await wrapped(page, url, 'createSession', { body })) as { refresh_token: string };
  const renewal = { body: { refresh_token: first.refresh_token } };
  const renewed = (await wrapped(page, url, 'refreshSession', renewal)) as { auth_token: string };
  t.match(renewed, { status: 200, auth_token: /\./ });
  const token = renewed.auth_token;

  const list = (await wrapped(page, url, 'listOwnSessions', { token })) as { sessions: { id: string }[] };
  t.match(list, { status: 200, sessions: [{ current: true }, { current: false }] });
  const sid = list.sessions[1]?.id ?? '';
  t.same(await wrapped(page, url, 'deleteOwnSession', { token, sid }), { status: 204 });
  t.match(await wrapped(page, url, 'deleteOwnSession', { token, sid }), { status: 404, code: 'session_not_found' });
  t.match(await wrapped(page, url, 'getSession', { token }), { status: 200, user_id: 1 });
  t.same(await wrapped(page, url, 'deleteSession', { token }), { status: 204 });
  t.match(await wrapped(page, url, 'getSession', { token }), { status: 401, code: 'unauthorized' });
  t.match(await wrapped(page, url, 'refreshSession', renewal), { status: 401, code: 'session_ended' });
});
