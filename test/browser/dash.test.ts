/** The dashboard in a real browser, on a real server with a real worker. */
import type { Browser } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { Place } from '../cli/place.ts';
import { createWorkflow, eachTestInBrowser, hasBrowser, hide, openDash, patienceMs } from './browser.ts';

let browser: Browser;
let place: Place;
eachTestInBrowser((both) => {
  ({ browser, place } = both);
});

const untilGo = (name: string) => `while [ ! -e ${name} ]; do sleep 0.05; done`;

const create = (jobs: object[], name?: string) => createWorkflow(place, jobs, name);

describe.skipIf(!hasBrowser)('the dashboard in a browser', () => {
  it('shows a run live, the log of a job that failed, and that it is done after a rerun', async () => {
    await create([
      { name: 'first', command: `echo one; ${untilGo('go')}; echo two` },
      { name: 'breaks', command: "[ -e fixed ] || { echo 'no <b>data</b>' >&2; exit 3; }", depends_on: ['first'] },
    ]);
    const { page, base, wrong } = await openDash(browser, place);
    const row = page.locator('table.workflows tbody tr');
    await row.getByText('uninitialized').waitFor();
    await place.torc('start', '1');
    const worker = place.start('jobs', 'run', '1');
    await row.locator('.status', { hasText: 'running' }).waitFor();

    await page.getByRole('link', { name: 'w', exact: true }).click();
    await page.getByRole('heading', { name: 'Workers' }).waitFor();
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.locator('.drawn .row', { hasText: 'first' }).locator('.status', { hasText: 'running' }).waitFor();
    await page.locator('.drawn .row', { hasText: 'first' }).getByRole('link').click();
    const log = page.locator('pre.log');
    await expect.poll(() => log.textContent()).toBe('one\n');
    place.file('go', '');
    await expect.poll(() => log.textContent()).toBe('one\ntwo\n');
    await page.locator('.title').getByText('done').waitFor();
    expect(await worker.ended).toMatchObject({ code: 1 });

    await page.getByRole('link', { name: 'w', exact: true }).click();
    await page.getByText('1 job failed with return code 3').waitFor();
    await page.locator('pre.tail', { hasText: 'no <b>data</b>' }).waitFor();
    await page.locator('.failed-job').getByRole('link', { name: 'breaks' }).click();
    // the stream on which a failed job says why
    await expect.poll(() => log.textContent()).toBe('no <b>data</b>\n');

    place.file('fixed', '');
    await page.getByRole('link', { name: 'w', exact: true }).click();
    await page.getByRole('button', { name: 'Rerun failed' }).click();
    const plan = page.getByRole('dialog', { name: 'Rerun failed' });
    await plan.getByText('nothing was changed').waitFor();
    await plan.getByText(/rerun-failed 1$/).waitFor();
    await page.keyboard.press('Escape');
    await plan.waitFor({ state: 'detached' });
    expect((await place.json<{ run_id: number }>(['workflows', 'show', '1'])).run_id).toBe(1);
    await page.getByRole('button', { name: 'Rerun failed' }).click();
    await plan.locator('button.main').click();
    await plan.getByText('started run 2 of workflow 1').waitFor();
    await plan.getByRole('button', { name: 'close' }).click();
    await page.goto(`${base}#/jobs/2`);
    await page.locator('.title').getByText('ready').waitFor();
    expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 0 });
    await page.locator('.title').getByText('done').waitFor();
    await page.getByRole('heading', { name: 'Attempts' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('shows names that are markup as text, everywhere', async () => {
    const name = '<script>alert(1)</script>';
    const image = '<img src=x onerror=alert(2)>';
    await create(
      [
        { name, command: `printf '%s\\n' '${image}'; printf '%s\\n' '${name}' >&2; exit 1` },
        { name: image, command: 'true' },
      ],
      name,
    );
    await place.torc('start', '1');
    await place.torc('jobs', 'run', '1');
    const { page, base, wrong } = await openDash(browser, place);
    await page.locator('table.workflows').getByText(name).waitFor();
    for (const [hash, text] of [
      ['#/workflows/1', name],
      ['#/workflows/1/jobs', image],
      ['#/workflows/1/results', image],
      ['#/workflows/1/events', 'workflow_ended'],
      ['#/jobs/1', name],
    ] as const) {
      await page.goto(`${base}${hash}`);
      await page.getByText(text).first().waitFor();
    }
    await expect.poll(() => page.locator('pre.log').textContent()).toBe(`${name}\n`);
    await page.getByRole('button', { name: 'stdout' }).click();
    await expect.poll(() => page.locator('pre.log').textContent()).toBe(`${image}\n`);
    expect(await page.locator('main script, main img, main b').count()).toBe(0);
    expect(wrong).toEqual([]);
  });

  it('fits into a narrow window, and what it says to type works for the server directory', async () => {
    await create([{ name: 'only', command: 'true' }]);
    const { page, base, wrong } = await openDash(browser, place);
    await page.setViewportSize({ width: 800, height: 800 });
    await page.goto(`${base}#/workflows/1/jobs`);
    await page.getByText('1 row ', { exact: false }).waitFor();
    const links = page.getByRole('navigation', { name: 'parts of the workflow' }).getByRole('link');
    const tops = async (): Promise<number> =>
      new Set((await Promise.all((await links.all()).map((each) => each.boundingBox()))).map((box) => box?.y)).size;
    expect(await links.count()).toBe(14);
    await expect.poll(tops).toBe(1);
    for (const part of ['', '/graph', '/timeline', '/resources', '/nodes', '/jobs', '/events']) {
      await page.goto(`${base}#/workflows/1${part}`);
      await page.locator('.wide-bar').waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), part).toBeLessThanOrEqual(0);
    }
    const torc = (words: string) => page.getByText(`torc --dir '${place.dir.replace("'", `'\\''`)}' ${words}`);
    for (const [part, words] of [
      ['/compute_nodes', '-k 1 hpc slurm schedule-nodes -n 1'],
      ['/runs', 'workflows start 1'],
    ] as const) {
      await page.goto(`${base}#/workflows/1${part}`);
      await torc(words).waitFor();
    }
    expect(wrong).toEqual([]);
    for (const part of ['', '/graph', '/timeline', '/utilization', '/resources', '/nodes', '/jobs']) {
      await page.goto('about:blank');
      await page.goto(`${base}#/workflows/2${part}`);
      await page.getByText('there is no workflow 2').waitFor();
      await torc('workflows list').waitFor();
      expect(await page.getByRole('navigation').count(), part).toBe(0);
    }
  });

  it('filters and sorts jobs as the list commands do, keeps that in the address, and is walked through with keys', async () => {
    const jobs = Array.from({ length: 300 }, (_, at) => ({ name: `sim_${at + 1}`, command: 'true', priority: at % 3 }));
    await create([...jobs, { name: 'other', command: 'true' }]);
    const { page, base, wrong } = await openDash(browser, place);
    await page.goto(`${base}#/workflows/1/jobs`);
    await page.getByText('301 rows').waitFor();
    // only what is in view is drawn
    expect(await page.locator('.drawn .row').count()).toBeLessThan(60);
    await page.keyboard.press('End');
    await page.getByRole('row', { name: /other/ }).waitFor();
    // two keys before the page is drawn again
    await page.evaluate(`for (const key of ['Home', 'j'])
      document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))`);
    await expect.poll(() => page.locator('.row.active').textContent()).toContain('sim_2');

    await page.keyboard.press('/');
    await page.keyboard.type('name=sim_1?');
    await page.keyboard.press('Enter');
    await page.getByText('10 rows').waitFor();
    expect(decodeURIComponent(page.url())).toContain('/workflows/1/jobs?f=name=sim_1?');
    for (const direction of ['ascending', 'descending']) {
      await page.getByRole('button', { name: 'priority' }).click();
      await page
        .getByRole('columnheader', { name: /priority/ })
        .and(page.locator(`[aria-sort=${direction}]`))
        .waitFor();
    }
    await expect.poll(() => page.locator('.drawn .row').first().textContent()).toContain('sim_18');
    // the address alone is enough to see the same
    const shared = page.url();
    await page.goto(`${base}#/`);
    await page.goto(shared);
    await expect.poll(() => page.locator('.drawn .row').first().textContent()).toContain('sim_18');
    await page.locator('.drawn .row').first().focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => page.url()).toContain('#/jobs/18');
    await page.getByRole('heading', { name: 'sim_18' }).waitFor();

    // a list begins at its top, whatever was in view of the one before
    await page.goto(`${base}#/workflows/1/jobs`);
    await page.getByText('301 rows').waitFor();
    await page.keyboard.press('End');
    await page.getByRole('row', { name: /other/ }).waitFor();
    const skips: number[] = [];
    page.on('request', (request) => {
      if (request.url().endsWith('/list') && request.postData()?.includes('uninitialized')) {
        skips.push((JSON.parse(request.postData() ?? '') as { skip: number }).skip);
      }
    });
    await page.goto(`${base}#/workflows/1/jobs?f=status%3Duninitialized`);
    await page.getByRole('row', { name: /sim_1 / }).waitFor();
    expect(new Set(skips)).toEqual(new Set([0]));

    // a column that does not exist is explained
    await page.goto(`${base}#/workflows/1/jobs?f=stauts%3Ddone`);
    await page.getByRole('alert').getByText('stauts').waitFor();
    expect(wrong.filter((text) => !text.includes('status of 400'))).toEqual([]);
  });

  it('asks for nothing while nobody looks, and says when torc dash has ended', async () => {
    await create([{ name: 'a', command: 'true' }]);
    const { dash, page, base, wrong } = await openDash(browser, place);
    await page.locator('table.workflows').getByText('uninitialized').waitFor();
    await hide(page, true);
    let numAsked = 0;
    page.on('request', () => (numAsked += 1));
    await place.torc('start', '1');
    expect((await place.json<{ status: string }>(['workflows', 'show', '1'])).status).toBe('ready');
    expect(numAsked).toBe(0);
    await hide(page, false);
    await page.locator('table.workflows').getByText('ready').waitFor();
    expect(numAsked).toBeGreaterThan(0);

    expect(wrong).toEqual([]);
    dash.child.kill('SIGINT');
    await dash.ended;
    await page.getByRole('alert').getByText('torc dash does not answer').waitFor();
    expect(base).toContain('127.0.0.1');
  });

  it('asks again for what could not be answered, without a change and on every page', async () => {
    await create([{ name: 'a', command: 'true' }]);
    const { page, base, wrong } = await openDash(browser, place);
    const busy = { code: 'busy', message: 'the server is busy', hint: null };
    for (const [name, hash, shown] of [
      ['job_page', '#/jobs/1', 'heading'],
      ['list', '#/workflows/1/files', 'grid'],
    ] as const) {
      let numRefused = 0;
      const refuse = { status: 503, contentType: 'application/json', body: JSON.stringify({ error: busy }) };
      await page.route(
        (url) => url.pathname.endsWith(`/v1/${name}`),
        async (route) => {
          numRefused += 1;
          await route.fulfill(refuse);
        },
        { times: 2 },
      );
      await page.goto(`${base}${hash}`);
      await page.getByRole('alert').getByText('the server is busy').waitFor();
      await page.getByRole('alert').waitFor({ state: 'detached' });
      await page.getByRole(shown).first().waitFor();
      expect(numRefused).toBe(2);
    }
    await page.getByText('The workflow declares no files', { exact: false }).waitFor();
    expect(wrong.filter((text) => !text.includes('status of 503'))).toEqual([]);
  });

  it('logs in only by the link, and only once', async () => {
    await create([{ name: 'a', command: 'true' }]);
    const { context, base } = await openDash(browser, place);
    const stranger = await browser.newContext();
    stranger.setDefaultTimeout(patienceMs);
    const page = await stranger.newPage();
    await page.goto(base);
    await page.getByText('This browser is not logged in').waitFor();
    // another page of the same host cannot read the cookie, nor ask with it
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: new URL(base).pathname });
    await stranger.close();
  });
});
