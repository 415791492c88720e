import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { loadContract, operationNamed } from '#built/contract/contract.js';
import { run, start } from '../test/support/executable.js';
import { launchBrowser, noBrowser, type Page } from './browser/browser.js';

const { path } = operationNamed(loadContract(), 'createSession');

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

t.test('pages of other origins in a browser', { skip: noBrowser }, async (t) => {
  const [listed, unlisted] = [await servePage(t), await servePage(t)];
  const cwd = t.testdir();
  await run(['users', 'add', 'foo@bar.com'], { cwd, input: 'foobar\n' });
  const { url } = await start(t, { cwd, env: { CORS_ORIGINS: `https://app.example.com,${listed}` } });
  const browser = await launchBrowser(t);
  const page = await browser.newPage();

  await page.goto(listed);
  for (const type of ['form', 'json'] as const) {
    t.match(
      await login(page, url, type, 'foobar'),
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
      await login(page, url, type, 'foobar'),
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
