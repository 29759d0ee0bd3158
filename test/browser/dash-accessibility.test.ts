/** The pages of the dashboard for those who read, hear or type them in another way. */
import type { Browser } from 'playwright-core';
import { expect, it } from 'vitest';
import type { Place } from '../cli/place.ts';
import { obstaclesIn } from './accessibility.ts';
import { createWorkflow, eachTestInBrowser, hasBrowser, openDash } from './browser.ts';

let browser: Browser;
let place: Place;
eachTestInBrowser((both) => {
  ({ browser, place } = both);
});

it.skipIf(!hasBrowser)('axe finds nothing serious in pages of the dashboard, light or dark', async () => {
  await createWorkflow(place, [
    { name: 'fails', command: 'echo why >&2; exit 3' },
    { name: 'works', command: 'echo fine' },
    { name: 'waits', command: 'true', depends_on: ['fails'] },
  ]);
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
      ['#/workflows/1/jobs', '.drawn .row .status'],
      ['#/workflows/1/results', '.drawn .row'],
      ['#/workflows/1/events', '.drawn .row'],
      ['#/jobs/1', 'pre.log'],
    ] as const) {
      await page.goto(`${base}${hash}`);
      await page.locator(shown).first().waitFor();
      found.push(...(await obstaclesIn(page)).map((line) => `${hash}, ${colorScheme}: ${line}`));
    }
  }
  expect(found).toEqual([]);
});
