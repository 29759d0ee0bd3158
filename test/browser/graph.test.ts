/** The graph of a workflow in a real browser: live, opened, moved and walked through. */
import type { Browser, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { Place } from '../cli/place.ts';
import { createWorkflow, eachTestInBrowser, hasBrowser, hide, openDash } from './browser.ts';

let browser: Browser;
let place: Place;
eachTestInBrowser((both) => {
  ({ browser, place } = both);
});

const create = (jobs: object[], name?: string) => createWorkflow(place, jobs, name);

const sims = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ name: `sim_${at + 1}`, command: 'true', depends_on: ['prep'] }));
const three = (count = 30) => [
  { name: 'prep', command: 'true' },
  ...sims(count),
  { name: 'merge', command: 'true', depends_on_regexes: ['^sim_'] },
];

/** Where the drawing is, and how large. */
async function camera(page: Page): Promise<{ x: number; y: number; zoom: number }> {
  const transform = await page.locator('.drawing svg > g').getAttribute('transform');
  const [x = 0, y = 0, zoom = 0] = (transform?.match(/-?\d[\d.e-]*/g) ?? []).map(Number);
  return { x, y, zoom };
}

/** Presses keys one after the other, before anything is drawn. */
async function press(page: Page, ...keys: string[]): Promise<void> {
  await page.evaluate(`for (const key of ${JSON.stringify(keys)})
    document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))`);
}

describe.skipIf(!hasBrowser)('the graph of a workflow in a browser', () => {
  it('is live, and shows the jobs of a box, those in trouble first', async () => {
    const waits = 'while [ ! -e go ]; do sleep 0.05; done';
    const jobs = three().map((job) => ({
      ...job,
      command: job.name === 'sim_29' ? 'exit 3' : job.name === 'sim_2' ? waits : 'true',
      ...(job.name === 'merge' ? { cancel_on_blocking_job_failure: false } : {}),
    }));
    await create(jobs);
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1`);
    await page.getByRole('navigation').getByRole('link', { name: 'Graph', exact: true }).click();
    await page.getByRole('link', { name: 'job prep: uninitialized; before sim_*', exact: true }).waitFor();
    const stage = page.getByRole('button', { name: /^sim_\*, 30 jobs/ });
    await stage.and(page.locator('[aria-label$=": 30 uninitialized; after prep; before merge"]')).waitFor();

    await place.torc('start', '1');
    const worker = place.start('jobs', 'run', '1', '--cpus', '4');
    await stage.and(page.locator('[aria-label*=": 1 failed, 1 running, 28 done;"]')).waitFor();
    expect(await stage.textContent()).toContain('29/30');
    await stage.click();
    const panel = page.getByRole('complementary', { name: 'jobs of a box' });
    await panel.getByText('20 of 30 jobs').waitFor();
    const listed = panel.locator('.neighbors li');
    await expect.poll(() => listed.allTextContents()).toHaveLength(20);
    expect((await listed.allTextContents()).slice(0, 3)).toEqual(['sim_29✗ failed', 'sim_2▶ running', 'sim_1✓ done']);
    expect(await stage.getAttribute('aria-expanded')).toBe('true');
    place.file('go', '');
    await expect.poll(() => listed.nth(1).textContent()).toBe('sim_1✓ done');
    expect(await worker.ended).toMatchObject({ code: 1 });
    await page.getByRole('link', { name: /^job merge: done/ }).waitFor();

    const opened = page.url();
    await panel
      .getByRole('listitem')
      .filter({ hasText: 'failed' })
      .getByRole('link', { name: '1', exact: true })
      .click();
    await page.getByText('1 row').waitFor();
    await page.locator('.drawn .row', { hasText: 'sim_29' }).waitFor();
    // the address alone is enough to see the same
    await page.goto(opened);
    await panel.getByRole('link', { name: 'all jobs named sim_*' }).click();
    await page.getByText('30 rows').waitFor();
    await page.goBack();
    await panel.getByRole('link', { name: 'sim_29' }).click();
    await page.getByRole('heading', { name: 'sim_29' }).waitFor();
    await page.getByRole('link', { name: 'merge' }).click();
    await page.locator('.neighbors li', { hasText: 'sim_29' }).getByText('failed').waitFor();
    await page.getByRole('link', { name: 'sim_29' }).click();
    await page.getByRole('button', { name: 'Mark done' }).click();
    const plan = page.getByRole('dialog', { name: 'Mark done' });
    await plan.getByText(/ jobs mark-done 30$/).waitFor();
    await plan.locator('button.main').click();
    await plan.getByRole('button', { name: 'close' }).click();
    await page.locator('.title').getByText('done').waitFor();
    // and back to the box in which this job is
    await page.getByRole('link', { name: 'graph', exact: true }).click();
    await expect.poll(() => stage.getAttribute('aria-expanded')).toBe('true');
    await stage.and(page.locator('[aria-label*=": 30 done;"]')).waitFor();
    expect(wrong).toEqual([]);
  });

  it('is moved, zoomed and walked through with the keyboard', async () => {
    await create(three());
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/graph`);
    const [prep, stage] = [page.getByRole('link', { name: /^job prep/ }), page.getByRole('button', { name: /^sim_/ })];
    await stage.waitFor();
    const whole = await camera(page);
    await press(page, '+', '+', '-', '+');
    expect((await camera(page)).zoom).toBeCloseTo(whole.zoom * 1.25 ** 2, 5);
    await press(page, '0', 'ArrowRight', 'ArrowRight', 'ArrowDown');
    const moved = await camera(page);
    expect(moved.x).toBeCloseTo(whole.x - 120, 3);
    expect(moved.y).toBeCloseTo(whole.y - 60, 3);
    await press(page, '0');
    expect(await camera(page)).toEqual(whole);

    // what the keyboard comes to moves into view
    await press(page, ...Array.from({ length: 40 }, () => 'ArrowRight'));
    await page.locator('header.workflow nav a').last().focus();
    await page.keyboard.press('Tab');
    await expect.poll(() => prep.evaluate((box) => box === box.ownerDocument.activeElement)).toBe(true);
    await expect.poll(async () => (await prep.boundingBox())?.x ?? -1).toBeGreaterThan(0);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const panel = page.getByRole('complementary', { name: 'jobs of a box' });
    await panel.getByText('20 of 30 jobs').waitFor();
    // the keyboard is in the panel, and comes back from there
    await expect.poll(() => panel.evaluate((aside) => aside === aside.ownerDocument.activeElement)).toBe(true);
    await page.keyboard.press('Tab');
    expect(await panel.getByRole('button', { name: 'close' }).evaluate((each) => each.matches(':focus'))).toBe(true);
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    expect(await stage.evaluate((box) => box.matches(':focus'))).toBe(true);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'prep' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('is moved and zoomed with the mouse, which opens nothing', async () => {
    await create(three());
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/graph`);
    const stage = page.getByRole('button', { name: /^sim_/ });
    await stage.waitFor();
    const whole = await camera(page);
    await stage.hover();
    await page.mouse.down();
    const { x = 0, y = 0, width = 0, height = 0 } = (await stage.boundingBox()) ?? {};
    await page.mouse.move(x + width / 2 + 40, y + height / 2 + 30, { steps: 4 });
    await page.mouse.up();
    await expect.poll(async () => (await camera(page)).y - whole.y).toBeCloseTo(30, 0);
    await page.mouse.wheel(0, -200);
    await expect.poll(async () => (await camera(page)).zoom).toBeGreaterThan(whole.zoom * 1.1);
    await page.getByRole('button', { name: 'fit' }).click();
    expect(await camera(page)).toEqual(whole);
    expect(await page.getByRole('complementary').count()).toBe(0);
    expect(page.url()).not.toContain('open');
    expect(wrong).toEqual([]);
  });

  it('fits a narrow window, and is a list of stages as well', async () => {
    const chain = Array.from({ length: 6 }, (_, at) => ({
      name: `step${'abcdef'[at]}`,
      command: 'true',
      depends_on: at === 0 ? [] : [`step${'abcdef'[at - 1]}`],
    }));
    await create(chain);
    const { page, base, wrong } = await openDash(browser, place);
    await page.setViewportSize({ width: 800, height: 700 });
    await page.goto(`${base}#/workflows/1/graph`);
    const boxes = page.locator('.drawing .box');
    await expect.poll(() => boxes.count()).toBe(6);
    const view = await page.locator('.drawing').boundingBox();
    for (const box of await boxes.all()) {
      const { x = 0, y = 0, width = 0, height = 0 } = (await box.boundingBox()) ?? {};
      expect(x).toBeGreaterThanOrEqual(view?.x ?? 0);
      expect(y).toBeGreaterThanOrEqual(view?.y ?? 0);
      expect(x + width).toBeLessThanOrEqual((view?.x ?? 0) + (view?.width ?? 0));
      expect(y + height).toBeLessThanOrEqual((view?.y ?? 0) + (view?.height ?? 0));
    }
    // larger than from left to right, where six boxes would be half as large
    expect((await camera(page)).zoom).toBeGreaterThan(0.7);
    await page.getByText('As a list').click();
    await page.locator('.stages-list').getByRole('link', { name: 'stepf' }).click();
    await page.getByRole('heading', { name: 'stepf' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('shows names that are markup as text', async () => {
    const [script, image] = ['<script>alert(1)</script>', '<img src=x onerror=alert(2)>'];
    const many = Array.from({ length: 8 }, (_, at) => ({ name: `${image}_${at}`, command: 'true' }));
    await create([{ name: script, command: 'true' }, ...many], script);
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/graph`);
    await page.getByRole('link', { name: `job ${script}` }).waitFor();
    await page.getByRole('button', { name: image }).click();
    const panel = page.getByRole('complementary');
    await panel.getByRole('link', { name: `${image}_7` }).waitFor();
    await page.getByText('As a list').click();
    await page.locator('.stages-list').getByRole('link', { name: script }).waitFor();
    expect(await page.locator('main script, main img').count()).toBe(0);
    expect(wrong).toEqual([]);
  });

  it('loads its library only when it is shown, and asks for nothing while nobody looks', async () => {
    await create(three());
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1`);
    await page.getByRole('heading', { name: 'Stages' }).waitFor();
    expect(page.workers()).toEqual([]);
    await page.getByRole('navigation').getByRole('link', { name: 'Graph', exact: true }).click();
    const stage = page.getByRole('button', { name: /^sim_/ });
    await stage.waitFor();
    expect(page.workers()).toHaveLength(1);

    await hide(page, true);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname.split('/').at(-1) ?? ''));
    await place.torc('start', '1');
    expect(asked).toEqual([]);
    await hide(page, false);
    await stage.and(page.locator('[aria-label*=": 30 blocked;"]')).waitFor();
    expect(asked).toContain('workflow_graph');

    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await expect.poll(() => page.workers()).toEqual([]);
    expect(wrong).toEqual([]);
  });

  it('says when its library cannot be loaded, and has the list', async () => {
    await create(three());
    const { context, page, base, wrong } = await openDash(browser, place);
    await context.route(
      (url) => url.pathname.endsWith('/layout.js'),
      (route) => route.fulfill({ status: 404, contentType: 'text/plain', body: 'gone' }),
    );
    await page.goto(`${base}#/workflows/1/graph`);
    await page.getByRole('alert').getByText('could not be loaded').waitFor();
    await page.getByText('As a list').click();
    await page.locator('.stages-list').getByRole('link', { name: 'sim_*' }).waitFor();
    expect(wrong.filter((text) => !text.includes('404'))).toEqual([]);
  });

  it('is that of the workflow in the address', async () => {
    await create(three(8));
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/graph?open=99`);
    await page.getByRole('alert').getByText('workflow 1 has no job 99').waitFor();
    await page.getByRole('button', { name: 'close' }).click();
    await page.getByRole('complementary').waitFor({ state: 'detached' });
    await page.goto(`${base}#/workflows/9/graph`);
    await page.getByRole('alert').first().waitFor();
    expect(wrong.filter((text) => !text.includes('status of 404'))).toEqual([]);
  });
});
