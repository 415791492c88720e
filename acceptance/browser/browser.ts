import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import type { Test } from 'tap';

export type { Browser, Locator, Page } from 'playwright-core';

/** Debian's. Playwright's own would have to be downloaded. */
const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Why a test that needs a browser is skipped; false where there is one. */
export const noBrowser = !existsSync(CHROMIUM) && `there is no ${CHROMIUM}`;

export async function launchBrowser(t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  t.teardown(() => browser.close());
  return browser;
}
