/** Debian's Chromium without a window, and the dashboard of a place in it; what the page must never do is noted. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import type { Running } from '../support/torc.ts';

const executablePath = '/usr/bin/chromium';
/** Without it these tests cannot run; scripts/test-programs installs it where it can. */
export const hasBrowser = existsSync(executablePath);

/** Far beyond what anything takes: only what hangs shall fail by it. */
export const patienceMs = 110_000;

/** With a fresh profile; asks nothing of the network by itself. */
export function startBrowser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-background-networking'];
  return chromium.launch({ executablePath, args, timeout: patienceMs });
}

/** One browser for a file, and a place for each of its tests. */
export function eachTestInBrowser(made: (both: { browser: Browser; place: Place }) => void): void {
  let browser: Browser;
  let place: Place;
  beforeAll(async () => {
    if (hasBrowser) browser = await startBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(() => {
    place = newPlace();
    made({ browser, place });
  });
  afterEach(() => place.remove());
}

export async function createWorkflow(place: Place, jobs: object[], name = 'w'): Promise<void> {
  const made = await place.torc('create', place.file('w.json', JSON.stringify({ name, jobs })));
  expect(made).toMatchObject({ code: 0 });
}

export interface OpenDash {
  dash: Running;
  context: BrowserContext;
  page: Page;
  /** The address before the fragment. */
  base: string;
  /** Errors of scripts, violations of the policy, requests to other places. */
  wrong: string[];
}

/** The page is in front of nobody, or of somebody again. */
export async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} });
    document.dispatchEvent(new Event('visibilitychange'))`);
}

/** Starts `torc dash` and opens its link. */
export async function openDash(browser: Browser, place: Place, ...words: string[]): Promise<OpenDash> {
  const dash = place.start('-F', 'json', 'dash', '--no-open', ...words);
  await expect.poll(dash.stdout).toContain('\n');
  const { url } = JSON.parse(dash.stdout()) as { url: string };
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(patienceMs);
  const wrong: string[] = [];
  await context.exposeFunction('noteWrong', (text: string) => wrong.push(text));
  await context.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      noteWrong('policy: ' + violatedDirective + ' ' + blockedURI))`,
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() === 'error') wrong.push(`console: ${message.text()} ${message.location().url}`);
  });
  const { origin } = new URL(url);
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:'))
      wrong.push(`asks ${request.url()}`);
  });
  await page.goto(url);
  await page.waitForSelector('header.top');
  return { dash, context, page, base: page.url().split('#')[0] ?? '', wrong };
}
