/** The documentation site, built into a folder and opened from there, without a server and without network. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../support/documents.ts';
import { obstaclesIn } from './accessibility.ts';
import { hasBrowser, patienceMs, startBrowser } from './browser.ts';

let site: string;
let pages: Map<string, string>;
beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'torc site '));
  execFileSync(process.execPath, [join(root, 'scripts', 'site.mjs'), site], { stdio: 'pipe' });
  const names = readdirSync(site).filter((name) => name.endsWith('.html'));
  pages = new Map(names.map((name) => [name, readFileSync(join(site, name), 'utf8')]));
});
afterAll(() => rmSync(site, { recursive: true, force: true }));

it('has a page for each command, and every link leads to a file and an anchor of the site', () => {
  expect(pages.get('command-jobs.html')).toContain('<h2 id="torc-jobs-add-children"');
  expect(pages.get('endpoints.html')).toContain('POST /v1/');
  expect(pages.get('specification-keys.html')).toContain('<h2 id="jobssteps"');
  const broken: string[] = [];
  for (const [name, html] of pages) {
    for (const [, link = ''] of html.matchAll(/(?:href|src)="([^"]*)"/g)) {
      if (/^(https?|mailto):/.test(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? name : decodeURIComponent(file);
      const isThere =
        anchor === undefined || pages.get(target)?.includes(`id="${decodeURIComponent(anchor)}"`) === true;
      if (!existsSync(join(site, target)) || !isThere) broken.push(`${name}: ${link}`);
    }
    expect(html, name).not.toMatch(/<(?:link|script|img)[^>]*(?:href|src)="https?:/);
  }
  expect(broken).toEqual([]);
});

it('has its texts in the form that torc docs reads', () => {
  const script = readFileSync(join(site, 'search-texts.js'), 'utf8');
  const sections = JSON.parse(script.slice(script.indexOf('=') + 1)) as object[];
  expect(sections).toContainEqual({
    ...{ id: 'how-to.html#gpus', link: 'how-to.html#gpus', title: 'A task at a time', heading: 'GPUs' },
    text: expect.stringContaining('CUDA_VISIBLE_DEVICES'),
  });
});

it.skipIf(!hasBrowser)('finds a page by its words, on a small screen too', async () => {
  const browser = await startBrowser();
  const wrong: string[] = [];
  try {
    for (const width of [1280, 400]) {
      const page = await browser.newPage({ viewport: { width, height: 800 } });
      page.setDefaultTimeout(patienceMs);
      page.on('pageerror', ({ message }) => wrong.push(message));
      page.on('request', (request) => {
        if (!request.url().startsWith('file:')) wrong.push(request.url());
      });
      for (const name of width === 400 ? pages.keys() : ['index.html']) {
        await page.goto(`file://${encodeURI(join(site, name))}`);
        const spare = await page.evaluate<number>('innerWidth - document.documentElement.scrollWidth');
        if (spare < 0) wrong.push(`${name} is wider than ${width} pixels`);
      }
      await page.fill('.search input', 'add-children');
      await page.getByRole('link', { name: 'torc jobs add-children' }).first().click();
      await page.waitForURL(/command-jobs\.html#torc-jobs-add-children$/);
      await page.close();
    }
  } finally {
    await browser.close();
  }
  expect(wrong).toEqual([]);
});

/** Pages of every kind: text, tables, code, drawings, the help of a command. */
const inTheDark = ['index.html', 'concepts.html', 'specification.html', 'tutorial.html', 'command-jobs.html'];

/** The report of an example: a page of its own, without the frame of the site. */
const report = 'reports/failure-handlers.html';

/** The pages that are looked at in the light, in parts that end in time. What is made of the help of a command is alike for all. */
const numParts = 4;
function partOfPages(part: number): string[] {
  const names = [...pages.keys()].filter((name) => !name.startsWith('command-') || inTheDark.includes(name));
  expect(names.length).toBeGreaterThan(40);
  return names.filter((_, at) => at % numParts === part);
}

describe.skipIf(!hasBrowser)('can be read by everybody: axe finds nothing serious', () => {
  it.each(Array.from({ length: numParts }, (_, part) => part))('in the light, part %i', (part) =>
    expectNoObstacles('light', partOfPages(part)),
  );

  it('in the dark', () => expectNoObstacles('dark', [...inTheDark, report]));

  it('the report of an example in the light', () => expectNoObstacles('light', [report]));
});

async function expectNoObstacles(colorScheme: 'light' | 'dark', names: string[]): Promise<void> {
  const browser = await startBrowser();
  const found: string[] = [];
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme });
    page.setDefaultTimeout(patienceMs);
    for (const name of names) {
      await page.goto(`file://${encodeURI(join(site, name))}`);
      // header and menu are the same everywhere
      const part = name === 'index.html' ? 'html' : 'main';
      found.push(...(await obstaclesIn(page, part)).map((text) => `${name}: ${text}`));
    }
  } finally {
    await browser.close();
  }
  expect(found).toEqual([]);
}
