/** The pages of the dashboard for those who read, hear or type them in another way. */
import type { Browser } from 'playwright-core';
import { expect, it } from 'vitest';
import type { Place } from '../cli/place.ts';
import { obstaclesIn } from './accessibility.ts';
import { eachTestInBrowser, hasBrowser, openDash } from './browser.ts';

let browser: Browser;
let place: Place;
eachTestInBrowser((both) => {
  ({ browser, place } = both);
});

it.skipIf(!hasBrowser)('axe finds nothing serious in pages of the dashboard, light or dark', async () => {
  const spec = {
    name: 'w',
    // the pages over time show what jobs used in each second
    resource_monitor: { enabled: true, granularity: 'time_series', sample_interval_seconds: 1 },
    resource_requirements: [{ name: 'large', num_cpus: 1, memory: '1g', runtime: 'PT1H' }],
    jobs: [
      { name: 'fails', command: 'echo why >&2; exit 3' },
      { name: 'works', command: 'echo fine; sleep 1', resource_requirements: 'large' },
      { name: 'waits', command: 'true', depends_on: ['fails'] },
    ],
  };
  expect(await place.torc('create', place.file('w.json', JSON.stringify(spec)))).toMatchObject({ code: 0 });
  await place.torc('start', '1');
  expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 1 });
  const { page, base } = await openDash(browser, place);
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [hash, shown] of [
      ['#/', 'table.workflows .status'],
      ['#/workflows/1', 'pre.tail'],
      ['#/workflows/1/graph', 'svg a'],
      ['#/workflows/1/timeline', '.gantt canvas'],
      ['#/workflows/1/utilization', 'figure canvas'],
      ['#/workflows/1/resources', 'tbody tr'],
      ['#/workflows/1/nodes', '[aria-label="answer of the command"]'],
      ['#/workflows/1/jobs', '.drawn .row .status'],
      ['#/workflows/1/results', '.drawn .row'],
      ['#/workflows/1/events', '.drawn .row'],
      ['#/workflows/1/compute_nodes', '.drawn .row'],
      ['#/workflows/1/runs', '.drawn .row'],
      ['#/jobs/1', 'pre.log'],
    ] as const) {
      // a new page: nothing of the one before is waited for
      await page.goto('about:blank');
      await page.goto(`${base}${hash}`);
      await page.locator(shown).first().waitFor();
      // what a page hides until somebody asks for it
      await page.evaluate("for (const part of document.querySelectorAll('main details')) part.open = true");
      found.push(...(await obstaclesIn(page)).map((line) => `${hash}, ${colorScheme}: ${line}`));
    }
    await page.goto(`${base}#/workflows/1/resources`);
    for (const [button, shown] of [
      ['Change requests ..', 'dialog[open] [aria-label=plan]'],
      ['keys', 'dialog[open] table'],
    ] as const) {
      await page.getByRole('button', { name: button, exact: true }).click();
      await page.locator(shown).waitFor();
      found.push(...(await obstaclesIn(page, 'dialog[open]')).map((line) => `${button}, ${colorScheme}: ${line}`));
      await page.keyboard.press('Escape');
    }
  }
  expect(found).toEqual([]);
});
