/** The dashboard's charts over time in a real browser: timeline, utilization, resources, nodes, and what a job used. */
import type { Browser, Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { eachTestInBrowser, hasBrowser, hide, openDash } from './browser.ts';

let browser: Browser;
let place: Place;
eachTestInBrowser((both) => {
  ({ browser, place } = both);
});

const untilGo = (name: string) => `while [ ! -e ${name} ]; do sleep 0.05; done`;
const resource_requirements = [{ name: 'large', num_cpus: 1, memory: '1g', runtime: 'PT1H' }];
const resource_monitor = { enabled: true, granularity: 'time_series', sample_interval_seconds: 1 };

async function create(jobs: object[]): Promise<void> {
  const spec = { name: 'w', resource_monitor, resource_requirements, jobs };
  const made = await place.torc('create', place.file('w.json', JSON.stringify(spec)));
  expect(made).toMatchObject({ code: 0 });
  await place.torc('start', '1');
}

/** What stands above the chart is there: it does not move any more. */
const headIsThere = (page: Page) => page.locator('header.workflow').getByText('3 of 3 done').waitFor();

/** Where it is, once it is drawn. */
async function boxOf(locator: Locator): Promise<{ x: number; y: number; width: number }> {
  for (;;) {
    const box = await locator.boundingBox();
    if (box !== null) return box;
  }
}

/** A workflow of three jobs that ran: one failed. */
async function ran(): Promise<void> {
  await create([
    { name: 'works', command: 'sleep 1', resource_requirements: 'large' },
    { name: 'breaks', command: 'exit 3', depends_on: ['works'] },
    { name: 'last', command: 'true', depends_on: ['works'] },
  ]);
  expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 1 });
}

/** The number of points of a canvas that are drawn in this color of the page's style sheet. */
function drawn(page: Page, selector: string, color: string): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector('${selector} canvas');
    if (canvas === null || canvas.width === 0) return 0;
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = 'var(--${color})';
    const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
    probe.remove();
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4)
      if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 6) count += 1;
    return count;
  })()`);
}

describe.skipIf(!hasBrowser)('charts of the dashboard in a browser', () => {
  it('draws attempts by their outcome, walks through them with keys and opens the job', async () => {
    await ran();
    const { page, base, wrong } = await openDash(browser, place);
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    await page.goto(`${base}#/workflows/1`);
    await page.getByRole('link', { name: 'Timeline' }).waitFor();
    // the library that draws is loaded with the first chart
    expect(loaded.filter((path) => /plot/i.test(path))).toEqual([]);
    await page.getByRole('link', { name: 'Timeline' }).click();
    await page.getByText('3 attempts of 1 worker, 1 failed.').waitFor();
    await expect.poll(() => drawn(page, '.gantt', 'fill-good')).toBeGreaterThan(100);
    await expect.poll(() => drawn(page, '.gantt', 'fill-bad')).toBeGreaterThan(3);
    expect(loaded.filter((path) => /plot/i.test(path))).toHaveLength(1);
    // one request has the bars and how many ran at once
    await expect.poll(() => drawn(page, '.overview', 'chart-given')).toBeGreaterThan(100);
    expect(loaded.filter((path) => path.endsWith('/v1/timeline'))).toHaveLength(1);
    expect(loaded.filter((path) => path.endsWith('/v1/utilization'))).toEqual([]);

    // two keys before the page is drawn again
    await page.evaluate(`for (const key of ['j', 'j'])
      document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))`);
    const active = page.locator('.gantt-active');
    await active.getByText(/last|breaks/).waitFor();
    const [name = ''] = (await active.textContent())?.split(' ') ?? [];
    await page.keyboard.press('k');
    await expect.poll(() => active.textContent()).not.toContain(name);
    await page.keyboard.press('j');
    await expect.poll(() => active.textContent()).toContain(name);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name, exact: true }).waitFor();

    // the same with the pointer
    await page.goBack();
    await headIsThere(page);
    await expect.poll(() => drawn(page, '.gantt', 'fill-good')).toBeGreaterThan(100);
    const pointed = async (x: number): Promise<string> => {
      const box = await boxOf(page.locator('.gantt .u-over'));
      await page.mouse.move(box.x + (x % box.width), box.y + 8);
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
      return (await page.locator('.tip').allTextContents()).join();
    };
    let x = 0;
    while (!(await pointed(x)).startsWith('works')) x += 10;
    await page.mouse.down();
    await page.mouse.up();
    await page.getByRole('heading', { name: 'works', exact: true }).waitFor();

    await page.goto(`${base}#/workflows/1/timeline`);
    await page.getByText('as a table').click();
    const row = page.getByRole('row', { name: /breaks/ });
    await row.getByText('failed').waitFor();
    await row.getByRole('link', { name: 'breaks' }).click();
    await page.getByRole('heading', { name: 'breaks', exact: true }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('zooms with keys, buttons and the pointer, and keeps that in the address', async () => {
    await ran();
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/timeline`);
    await page.locator('.gantt canvas').waitFor();
    const part = (): number => {
      const words = new URLSearchParams(page.url().split('?')[1] ?? '');
      return Date.parse(words.get('to') ?? '') - Date.parse(words.get('from') ?? '');
    };
    // three keys before the page is drawn again: an eighth
    await page.evaluate(`for (const key of ['+', '+', '+'])
      document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))`);
    await expect.poll(part).toBeGreaterThan(0);
    const eighth = part();
    await page.getByRole('button', { name: 'zoom out' }).click();
    await expect.poll(part).toBeGreaterThan(eighth * 1.9);
    expect(part()).toBeLessThan(eighth * 2.1);
    // what is shown is that of the address
    const shared = page.url();
    await page.goto(`${base}#/`);
    await page.goto(shared);
    await page.locator('.gantt canvas').waitFor();
    await page.getByRole('button', { name: 'whole time' }).click();
    await expect.poll(() => page.url()).not.toContain('from=');

    for (const [view, chart] of [
      ['timeline', '.overview'],
      ['utilization', 'figure:first-of-type'],
    ] as const) {
      // with a new page: nothing of the view before is there any more
      await page.goto('about:blank');
      await page.goto(`${base}#/workflows/1/${view}`);
      await headIsThere(page);
      const over = page.locator(`${chart} .u-over`).first();
      // whoever drags while the chart is drawn anew does so again
      for (let isChosen = false; !isChosen; ) {
        const box = await boxOf(over);
        await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width * 0.5, box.y + 20, { steps: 4 });
        await page.mouse.up();
        const chosen = expect.poll(part, { timeout: 10_000 }).toBeGreaterThan(0);
        isChosen = await chosen.then(
          () => true,
          () => false,
        );
      }
      expect(part()).toBeGreaterThan(eighth * 1.5);
      expect(part()).toBeLessThan(eighth * 2.5);
    }
    expect(wrong).toEqual([]);
  });

  it('follows what runs, asks for nothing while nobody looks, and shows many attempts as their number', async () => {
    await create([
      { name: 'first', command: untilGo('go') },
      { name: 'second', command: 'true', depends_on: ['first'] },
    ]);
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/timeline`);
    await page.getByText('Nothing has run yet.').waitFor();
    const worker = place.start('jobs', 'run', '1');
    await page.getByText('1 attempt of 1 worker, 1 running.').waitFor();
    await hide(page, true);
    let numAsked = 0;
    page.on('request', () => (numAsked += 1));
    place.file('go', '');
    await worker.ended;
    expect(numAsked).toBe(0);
    await hide(page, false);
    await page.getByText('2 attempts of 1 worker.').waitFor();

    // a reply that counts attempts by time, as the server gives it for many
    await page.route(
      (url) => url.pathname.endsWith('/v1/timeline'),
      async (route) => {
        const request = { ...(route.request().postDataJSON() as object), max_spans: 0 };
        await route.continue({ postData: JSON.stringify(request) });
      },
    );
    await page.getByRole('button', { name: 'zoom in' }).click();
    await page.getByText('They are counted by time: zoom in to see each of them.').waitFor();
    await expect.poll(() => drawn(page, '.gantt', 'chart-given')).toBeGreaterThan(100);

    // as an older server answers, which does not say how many ran at once
    const open = async (): Promise<void> => {
      await page.goto('about:blank');
      await page.goto(`${base}#/workflows/1/timeline`);
      await page.getByText('2 attempts of 1 worker.').waitFor();
      await expect.poll(() => drawn(page, '.gantt', 'chart-given')).toBeGreaterThan(100);
    };
    const answered = page.waitForResponse((response) => response.url().endsWith('/v1/timeline'));
    await open();
    await expect.poll(() => drawn(page, '.overview', 'chart-given')).toBeGreaterThan(100);
    const { at_once, ...older } = (await (await answered).json()) as { at_once: object };
    expect(at_once).toMatchObject({ num_running: expect.any(Array) });
    await page.route(
      (url) => url.pathname.endsWith('/v1/timeline'),
      (route) => route.fulfill({ json: older }),
    );
    await open();
    expect(await page.locator('.overview').count()).toBe(0);
    expect(wrong).toEqual([]);
  });

  it('shows how busy nodes were, what jobs used and should ask for, and which nodes are needed', async () => {
    await ran();
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/utilization`);
    await page.getByText(/^3 attempts; jobs were given \d+ % of the CPUs/).waitFor();
    await page.getByRole('figure', { name: 'Memory over time' }).locator('canvas').waitFor();
    await expect.poll(() => drawn(page, 'figure', 'chart-given')).toBeGreaterThan(100);
    // colors follow the reader, and what is drawn is drawn again
    await page.getByLabel('colors').selectOption('dark');
    await expect.poll(() => drawn(page, 'figure', 'chart-given')).toBeGreaterThan(100);

    await page.goto(`${base}#/workflows/1/resources`);
    const works = page.locator('tbody', { has: page.getByRole('link', { name: 'works' }) });
    await works
      .getByRole('row', { name: /runtime/ })
      .getByText('less than half used')
      .waitFor();
    await page.getByText(/correct-resources 1 --dry-run$/).waitFor();
    await page.getByRole('button', { name: 'Change requests' }).click();
    await page
      .getByRole('dialog', { name: 'Change requests' })
      .getByText('correct-resources 1', { exact: false })
      .waitFor();
    await page.keyboard.press('Escape');

    await page.goto(`${base}#/workflows/1/nodes`);
    await page.getByText('The workflow asks for no nodes by itself.').waitFor();
    await page.getByText(/hpc slurm plan 1$/).waitFor();
    await page.getByLabel('answer of the command').getByText('torc hpc slurm site refresh').waitFor();

    const rows = ['seconds,memory_bytes,cpu_seconds', '0.1,1048576,0.1', '5,268435456,4', '9,134217728,6', ''];
    place.file('torc_output/resource_monitor/0000/job_1_run_1_attempt_1.csv', rows.join('\n'));
    await page.goto(`${base}#/jobs/1`);
    await page.getByRole('figure', { name: 'memory over time: at most 256M of 1G' }).locator('canvas').waitFor();
    await expect.poll(() => drawn(page, 'figure', 'chart-given')).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });

  it('shows what the autoscaler has asked for and would do next, and the plan as the command prints it', async () => {
    const slurm = new FakeSlurm({ run: false });
    const cluster = newPlace(slurm.env);
    try {
      const large = [{ name: 'large', num_cpus: 2, memory: '100m', runtime: 'PT20M' }];
      const jobs = [1, 2, 3].map((n) => ({ name: `work_${n}`, command: 'true', resource_requirements: 'large' }));
      const file = cluster.file('w.json', JSON.stringify({ name: 'study', resource_requirements: large, jobs }));
      await cluster.json(['submit', file, '--autoscale', '--max', '2', '-a', 'acct', '-t', '4:00:00']);
      await expect.poll(() => slurm.jobs().length).toBe(2);
      const { page, base, wrong } = await openDash(browser, cluster);
      await page.goto(`${base}#/workflows/1/nodes`);
      await page.getByText('at most 2 nodes, at most').waitFor();
      await page.getByText('2 of at most 2 nodes, 2 allocations queued').waitFor();
      await page.getByText(/workflows autoscale 1 --dry-run$/).waitFor();
      await page.getByRole('button', { name: 'Stop autoscaling' }).waitFor();
      const section = page.locator('section', { has: page.getByRole('heading', { name: 'Allocations now' }) });
      await expect.poll(() => section.locator('tbody tr').count()).toBe(2);
      await section.getByText('queued').first().waitFor();
      const { stdout } = await cluster.torc('hpc', 'slurm', 'plan', '1');
      const answer = page.getByLabel('answer of the command');
      await expect.poll(() => answer.textContent()).toBe(stdout.trim());
      // the plan is made again when it is asked for
      let numAsked = 0;
      page.on('request', (request) => (numAsked += request.url().endsWith('/v1/node_plan') ? 1 : 0));
      await page.getByRole('button', { name: 'plan again' }).click();
      await expect.poll(() => numAsked).toBe(1);
      await expect.poll(() => answer.textContent()).toBe(stdout.trim());
      // scaled from the number that it has, with the plan first
      await page.getByRole('button', { name: 'Scale ..' }).click();
      const plan = page.getByRole('dialog', { name: 'Scale' });
      await expect.poll(() => plan.getByLabel('nodes at most').inputValue()).toBe('2');
      await plan.getByLabel('nodes at most').fill('3');
      await plan.getByText(/workflows autoscale 1 --max 3$/).waitFor();
      await plan.getByLabel('plan').getByText('dry run: ', { exact: false }).getByText('at most 3 nodes').waitFor();
      await plan.getByLabel('nodes at least').fill('1');
      await plan.getByText(/workflows autoscale 1 --max 3 --min 1$/).waitFor();
      await plan.getByLabel('plan').getByText('at least 1', { exact: false }).waitFor();
      expect(slurm.jobs()).toHaveLength(2);
      await plan.locator('button.main').click();
      await plan.getByLabel('result').getByText('workflow 1 asks for nodes by itself').waitFor();
      await expect.poll(() => slurm.jobs().length).toBe(3);
      await plan.getByRole('button', { name: 'close' }).click();
      await page.getByText('3 of at most 3 nodes').waitFor();
      expect(wrong).toEqual([]);
    } finally {
      await cluster.remove();
      slurm.remove();
    }
  });

  it('shows names that are markup as text', async () => {
    const name = '<img src=x onerror=alert(1)>';
    await create([{ name, command: 'true' }]);
    expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 0 });
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/timeline`);
    await page.getByText('1 attempt of 1 worker.').waitFor();
    await page.getByText('as a table').click();
    await page.getByRole('link', { name }).waitFor();
    await page.keyboard.press('j');
    await page.locator('.gantt-active').getByText(name, { exact: false }).waitFor();
    await page.goto(`${base}#/workflows/1/resources`);
    await page.getByRole('link', { name: name.replace('1', '*') }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    expect(wrong).toEqual([]);
  });
});
