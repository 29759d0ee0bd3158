/** The page of `torc reports html` on screens of several widths. */
import type { Browser } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { Place } from '../cli/place.ts';
import { eachTestInBrowser, hasBrowser, patienceMs } from './browser.ts';

let browser: Browser;
let place: Place;

describe.skipIf(!hasBrowser)('the report', () => {
  eachTestInBrowser((both) => {
    ({ browser, place } = both);
  });

  it('scrolls its charts sideways where their words would be too small, and never the page', async () => {
    const spec = place.file('w.json', JSON.stringify({ name: 'w', jobs: [{ name: 'a', command: 'true' }] }));
    expect(await place.torc('run', spec)).toMatchObject({ code: 0 });
    expect(await place.torc('reports', 'html', '1', '-o', 'r.html')).toMatchObject({ code: 0 });
    const page = await browser.newPage();
    page.setDefaultTimeout(patienceMs);
    for (const [width, isScrolled] of [
      [400, true],
      [800, true],
      [1280, false],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(`file://${place.path}/r.html`);
      const seen = await page.evaluate(`({
        page: document.documentElement.scrollWidth,
        charts: [...document.querySelectorAll('.chart')].map((chart) => chart.scrollWidth > chart.clientWidth),
        // 11 in the picture
        isSmall: [...document.querySelectorAll('.chart svg')].some((svg) => svg.getScreenCTM().a * 11 < 9),
      })`);
      expect(seen).toEqual({ page: width, charts: Array(3).fill(isScrolled), isSmall: false });
    }
  });
});
