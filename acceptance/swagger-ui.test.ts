import t, { type Test } from 'tap';
import { loadContract, operationNamed } from '#built/contract/contract.js';
import type { Callers } from '#built/contract/handler.js';
import { start } from '../test/support/executable.js';
import { FORM } from '../test/support/send.js';
import { type Browser, type Locator, launchBrowser, noBrowser, type Page } from './browser/browser.js';

const DESK = { width: 1280, height: 900 };
const TELEPHONE = { width: 375, height: 667 };

const login = operationNamed(loadContract(), 'createSession');

/** Opens Swagger UI in a tab of its own, which tells afterwards what went wrong in it. */
async function openDocs(t: Test, browser: Browser, url: string, viewport = DESK) {
  const page = await browser.newPage({ viewport });
  t.teardown(() => page.close());
  page.setDefaultTimeout(10_000);
  const errors: string[] = [];
  const hosts = new Set<string>();
  page.on('pageerror', ({ message }) => errors.push(message));
  page.on('console', (line) => line.type() === 'error' && errors.push(`${line.text()} ${line.location().url}`));
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  await page.goto(`${url}/docs`);
  return { page, errors, hosts };
}

function loginIn(page: Page) {
  return operationIn(page, 'createSession');
}

function operationIn(page: Page, id: string) {
  const block = page.locator(`[id$="-${id}"].opblock`);
  return {
    block,
    toggle: block.locator('.opblock-summary-control'),
    mediaType: block.locator('.opblock-section-request-body select.content-type'),
    json: block.locator('.opblock-section-request-body textarea'),
    field: (name: string) => block.locator(`[data-property-name="${name}"] input`),
    parameter: (name: string) => block.locator(`[data-param-name="${name}"] input`),
    execute: block.getByRole('button', { name: 'Execute' }),
    /** What the service has answered, not what the contract says that it may. */
    status: (code: number) => block.locator('.live-responses-table .response-col_status', { hasText: `${code}` }),
    answer: block.locator('.live-responses-table .response-col_description pre').first(),
  };
}

/** Gives Swagger UI a token for the operations of a security scheme. */
async function authorize(page: Page, scheme: keyof Callers, token: string): Promise<void> {
  await page.locator('.scheme-container').getByRole('button', { name: 'Authorize' }).click();
  const form = page.locator('.dialog-ux .auth-container', { hasText: scheme });
  await form.locator('input').fill(token);
  await form.getByRole('button', { name: 'Apply credentials' }).click();
  await form.getByRole('button', { name: 'Close' }).click();
}

/** Goes on to an element as someone does who has no mouse. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let steps = 0; steps < 50; steps += 1) {
    await page.keyboard.press('Tab');
    if ((await target.and(page.locator(':focus')).count()) > 0) return;
  }
  throw new Error(`the Tab key does not reach ${target}`);
}

t.test('Swagger UI in a browser', { skip: noBrowser }, async (t) => {
  const { url, output, written } = await start(t, { cwd: t.testdir() }, ['demo']);
  await written('the admin token is');
  const [, adminToken = ''] = output().match(/the admin token is (\S+)/) ?? [];
  const browser = await launchBrowser(t);

  t.test('logs in with the form as it is filled in, then with a wrong password', async (t) => {
    const { page, errors, hosts } = await openDocs(t, browser, url);
    const { toggle, mediaType, field, execute, status, answer } = loginIn(page);
    t.match(await page.title(), 'Sessions API');
    await toggle.click();
    await mediaType.selectOption(FORM['content-type']);

    await execute.click();
    await status(200).waitFor();
    t.match(JSON.parse((await answer.textContent()) ?? ''), { auth_token: /^[\w-]+\.[\w-]+\.[\w-]+$/ });
    t.same(errors, []);

    await field('password').fill('toets');
    await execute.click();
    await status(401).waitFor();
    t.same(JSON.parse((await answer.textContent()) ?? ''), { message: 'Invalid credentials' });
    t.equal(errors.length, 1, 'nothing but what Chromium itself says of a 401');
    t.match(errors[0], /^Failed to load resource: .* 401 \(Unauthorized\) .*\/api\/v1\/sessions$/);
    t.same([...hosts], [new URL(url).host], 'no other host is asked');
  });

  t.test('logs in with JSON, from each of the contract’s examples', async (t) => {
    const { page } = await openDocs(t, browser, url);
    const { block, toggle, mediaType, execute, status } = loginIn(page);
    await toggle.click();
    t.same(await mediaType.locator('option').allTextContents(), [...login.bodies.keys()]);
    await mediaType.selectOption('application/json');
    const examples = block.locator('.examples-select-element');
    const summaries = login.bodies.get('application/json')?.examples.map(({ summary }) => summary) ?? [];
    t.match(await examples.locator('option').allTextContents(), summaries);
    for (const [index, code] of [200, 401].entries()) {
      await examples.selectOption({ index });
      await execute.click();
      await status(code).waitFor();
      t.pass(`${summaries[index]}: ${code}`);
    }
  });

  t.test('logs in, authorizes with the token, lists the sessions, ends another one, and logs out', async (t) => {
    const { page, errors } = await openDocs(t, browser, url);
    const { toggle, mediaType, execute, status, answer } = loginIn(page);
    await toggle.click();
    await mediaType.selectOption(FORM['content-type']);
    await execute.click();
    await status(200).waitFor();
    const { auth_token: token } = JSON.parse((await answer.textContent()) ?? '');

    await authorize(page, 'userToken', token);

    const session = operationIn(page, 'getSession');
    await session.toggle.click();
    await session.execute.click();
    await session.status(200).waitFor();
    t.match(JSON.parse((await session.answer.textContent()) ?? ''), { user_id: 1 });

    const list = operationIn(page, 'listOwnSessions');
    await list.toggle.click();
    await list.execute.click();
    await list.status(200).waitFor();
    const [own, other] = JSON.parse((await list.answer.textContent()) ?? '').sessions;
    t.match([own, other], [{ current: true }, { current: false }], 'that of the test before is there too');
    const end = operationIn(page, 'deleteOwnSession');
    await end.toggle.click();
    await end.parameter('sid').fill(other.id);
    await end.execute.click();
    await end.status(204).waitFor();

    const logOut = operationIn(page, 'deleteSession');
    await logOut.toggle.click();
    await logOut.execute.click();
    await logOut.status(204).waitFor();
    t.same(errors, []);

    await session.execute.click();
    await session.status(401).waitFor();
    t.equal(errors.length, 1, 'nothing but what Chromium itself says of a 401');
  });

  t.test('authorizes with the admin token, and creates a user', async (t) => {
    const { page, errors } = await openDocs(t, browser, url);
    await authorize(page, 'adminToken', adminToken);
    const create = operationIn(page, 'createUser');
    await create.toggle.click();
    await create.execute.click();
    await create.status(201).waitFor();
    t.match(JSON.parse((await create.answer.textContent()) ?? ''), { id: 2, email: 'bar@bar.com' });
    t.same(errors, []);

    const list = operationIn(page, 'listOwnSessions');
    await list.toggle.click();
    await list.execute.click();
    await list.status(401).waitFor();
    t.equal(errors.length, 1, 'it is no token of a user');
  });

  t.test('shows each status of each operation with an example', async (t) => {
    const { page } = await openDocs(t, browser, url);
    for (const operation of loadContract().operations) {
      const { block, toggle } = operationIn(page, operation.id);
      await toggle.click();
      const rows = block.locator('.responses-wrapper .response');
      await rows.first().waitFor();
      t.same(
        await Promise.all((await rows.all()).map(async (row) => Number(await row.getAttribute('data-code')))),
        [...operation.replies.keys()],
        operation.id,
      );
      for (const row of await rows.all()) {
        const reply = operation.replies.get(Number(await row.getAttribute('data-code')));
        if (reply?.mediaType === undefined) continue;
        t.notMatch(
          (await row.locator('.model-example pre').textContent()) ?? '',
          /^"?string"?$|additionalProp/,
          operation.id,
        );
      }
      // A page with all of them expanded is slow.
      await toggle.click();
    }
  });

  t.test('shows the login in three screens', async (t) => {
    const { page } = await openDocs(t, browser, url);
    const { block, toggle, execute } = loginIn(page);
    await toggle.click();
    await execute.waitFor();
    const { height = Infinity } = (await block.boundingBox()) ?? {};
    t.ok(height <= 3 * DESK.height, `${height} pixels`);
  });

  t.test('needs no mouse', async (t) => {
    const { page } = await openDocs(t, browser, url);
    const { toggle, json, execute, status } = loginIn(page);
    await toggle.waitFor();
    await tabTo(page, toggle);
    await page.keyboard.press('Enter');
    await execute.waitFor();
    await tabTo(page, json);
    await tabTo(page, execute);
    await page.keyboard.press('Enter');
    await status(200).waitFor();
    t.pass('logged in');
  });

  t.test('fits a telephone', async (t) => {
    const { page } = await openDocs(t, browser, url, TELEPHONE);
    const { toggle, execute, status } = loginIn(page);
    const width = () => page.evaluate('document.documentElement.scrollWidth');
    await toggle.click();
    t.equal(await width(), TELEPHONE.width, 'expanded');
    await execute.click();
    await status(200).waitFor();
    t.equal(await width(), TELEPHONE.width, 'with a reply');
    t.equal(await page.locator('meta[name=viewport]').count(), 1, 'a telephone does not take it for a wide page');
  });
});
