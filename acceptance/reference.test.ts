import { existsSync } from 'node:fs';
import t from 'tap';
import { loadContract } from '#built/contract/contract.js';
import { launchBrowser, noBrowser } from './browser/browser.js';

const reference = new URL('../docs/reference.html', import.meta.url);
const notMade = !existsSync(reference) && '`npm run docs` makes docs/reference.html';

t.test('docs/reference.html in a browser, from a file', { skip: noBrowser || notMade }, async (t) => {
  const page = await (await launchBrowser(t)).newPage();
  const errors: string[] = [];
  const asked: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  page.on('requestfinished', (request) => asked.push(request.url()));
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText !== 'csp') asked.push(request.url());
  });
  await page.goto(reference.href, { waitUntil: 'networkidle' });
  const { title, operations } = loadContract();
  t.match(await page.title(), title);
  const text = (await page.locator('body').textContent()) ?? '';
  for (const { path } of operations) t.ok(text.includes(path), path);
  t.same(errors, []);
  t.same(asked, [reference.href], 'no host is asked, for the page asks none or is kept from it');
});
