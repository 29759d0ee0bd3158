// What a person waits for in the dashboard of a large workflow, in a real browser on this machine: from the address to what
// it shows, drawn. Debian's Chromium; the memory is what the page's process has, shared parts by share.
import { existsSync, readFileSync } from 'node:fs';
import { createMixed } from '../mixed.mjs';
import { row, skipped } from '../report.mjs';
import { inDirectory, openFresh, progress, repeat, start, torc, until, withServer } from '../support.mjs';

const executablePath = '/usr/bin/chromium';

/** Where it leads, and what is waited for; null: on the page that is open, since it was asked for. */
const steps = [
  ['the page of the workflow, its counts', '#/workflows/KEY', 'main .facts'],
  ['its failures', null, 'article.failure pre.tail, article.failure .failed-job'],
  ['its stages', null, 'table.plain th.grow'],
  ['its jobs, the first ones', '#/workflows/KEY/jobs', '#row-0 a'],
  // the key End leads to the last job only once it is known how many there are
  ['.. how many of each status', null, '.chips button'],
  ['.. the last ones, with the key End', { key: 'End' }, '#row-LAST a'],
  ['.. with status=blocked', '#/workflows/KEY/jobs?f=status=blocked', '#row-0 a'],
  ['.. with outcome=failed', '#/workflows/KEY/jobs?f=outcome=failed', '#row-0 a'],
  ['.. with name=job_99*', '#/workflows/KEY/jobs?f=name=job_99*', '#row-0 a'],
  ['.. with name=*_999*, which no index finds', '#/workflows/KEY/jobs?f=name=*_999*', '#row-0 a'],
  ['.. by priority', '#/workflows/KEY/jobs?sort=priority', '#row-0 a'],
  ['its results', '#/workflows/KEY/results', '#row-0 [role=gridcell]'],
  ['its events', '#/workflows/KEY/events', '#row-0 [role=gridcell]'],
  ['a job of it', '#/jobs/7777', 'main .facts'],
];

/** Milliseconds until what is waited for is drawn anew; runs in the page. */
function timed({ hash, key, selector }) {
  const isOpen = hash === null && key === null;
  const old = isOpen ? null : new Set(document.querySelectorAll(selector));
  const begin = isOpen ? globalThis.lastBegin : performance.now();
  globalThis.lastBegin = begin;
  if (hash !== null) location.hash = hash;
  if (key !== null) document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  return new Promise((resolve) => {
    const look = () => {
      const isThere = [...document.querySelectorAll(selector)].some((found) => !old?.has(found));
      // after the frame that draws it
      if (isThere) requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begin)));
      else requestAnimationFrame(look);
    };
    look();
  });
}

async function openPage(browser, directory) {
  const child = start(process.execPath, [torc, '--dir', directory, '-F', 'json', 'dash', '--no-open'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (printed += text));
  await until('the dashboard listens', () => printed.endsWith('\n'));
  const { url } = JSON.parse(printed);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForSelector('table.workflows a');
  return { child, page, base: page.url().split('#')[0] };
}

async function measure(browser, directory, key, numJobs) {
  const { child, page, base } = await openPage(browser, directory);
  try {
    // a new load of everything, as when the address is typed
    await page.goto('about:blank');
    const begin = performance.now();
    await page.goto(base);
    await page.waitForSelector('table.workflows a');
    const figures = { 'all workflows, from the address': performance.now() - begin };
    for (const [what, where, selector] of steps) {
      const at = selector.replace('LAST', String(numJobs - 1));
      const hash = typeof where === 'string' ? where.replace('KEY', key) : null;
      figures[what] = await page.evaluate(timed, { hash, key: where?.key ?? null, selector: at });
    }
    return { figures, megabytes: await pageMegabytes(browser) };
  } finally {
    await page.context().close();
    child.kill();
  }
}

/** Of the process that draws the only page. */
async function pageMegabytes(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/^Pss: +(\d+) kB/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1]));
  return Math.max(...sizes) / 1024;
}

export async function dash({ isFull, runs }) {
  if (!existsSync(executablePath)) return [skipped('the dashboard in a browser', `there is no ${executablePath}`)];
  const { chromium } = await import('playwright-core');
  const numJobs = isFull ? 1_000_000 : 10_000;
  progress(`the dashboard with ${numJobs} jobs`);
  const samples = await inDirectory(async (directory) => {
    const service = await openFresh(directory);
    const key = await createMixed(service, numJobs);
    await service.close();
    const browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-background-networking'],
    });
    try {
      return await withServer(directory, () => repeat(runs, () => measure(browser, directory, key, numJobs)));
    } finally {
      await browser.close();
    }
  });
  const budget = { atMost: 1 };
  return [
    ...Object.keys(samples[0].figures).map((what) =>
      row(
        `the dashboard at ${numJobs} jobs: ${what}`,
        samples.map(({ figures }) => figures[what] / 1000),
        's',
        { budget },
      ),
    ),
    row(
      `the dashboard at ${numJobs} jobs: memory of the page`,
      samples.map(({ megabytes }) => megabytes),
      'MB',
      { budget: { atMost: 200 } },
    ),
  ];
}
