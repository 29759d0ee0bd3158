/** The picture of the dashboard in README.md, of a workflow that runs for it; `npm run picture` writes it. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Timeline } from '../../src/api/contract.ts';
import { newPlace } from '../cli/place.ts';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { root } from '../support/documents.ts';
import { hasBrowser, openDash, startBrowser } from './browser.ts';

const isRefreshed = process.env.TORC_REFRESH_DOCUMENTS === '1';

/** 38 jobs in two allocations: one of the runs fails, and so `fit` is canceled. */
const runs = Array.from({ length: 36 }, (_, index) => ({
  name: `run_${index + 1}`,
  command: index === 19 ? 'echo "no signal" >&2; exit 3' : `sleep ${0.6 + ((index * 7) % 11) * 0.3}`,
  depends_on: ['prepare'],
  resource_requirements: 'small',
}));
const workflow = {
  name: 'calibration',
  resource_requirements: [{ name: 'small', num_cpus: 1, memory: '100m', runtime: 'PT10M' }],
  jobs: [
    { name: 'prepare', command: 'until [ -e go ]; do sleep 0.05; done', resource_requirements: 'small' },
    ...runs,
    { name: 'fit', command: 'true', depends_on: runs.map(({ name }) => name), resource_requirements: 'small' },
  ],
};

it.skipIf(!hasBrowser)('shows a workflow of two allocations on a timeline', async () => {
  const slurm = new FakeSlurm({ run: true, cpusPerNode: 8 });
  const place = newPlace(slurm.env);
  const browser = await startBrowser();
  try {
    const file = place.file('w.json', JSON.stringify(workflow));
    expect(await place.torc('submit', file, '-n', '2', '-t', '1:00:00')).toMatchObject({ code: 0 });
    const workers = async () =>
      (await place.json<{ compute_nodes: object[] }>(['compute-nodes', 'list'])).compute_nodes;
    await expect.poll(async () => (await workers()).length).toBe(2);
    place.file('go', '');
    expect(await place.torc('wait', '1')).toMatchObject({ code: 1 });
    const { page, base, wrong } = await openDash(browser, place);
    // the name of this machine is nobody's business
    await page.route(
      (url) => url.pathname.endsWith('/v1/timeline'),
      async (route) => {
        const response = await route.fetch();
        const timeline = (await response.json()) as Timeline;
        const workers = timeline.workers.map((worker, index) => ({ ...worker, hostname: `node${index + 1}` }));
        await route.fulfill({ response, json: { ...timeline, workers } });
      },
    );
    await page.setViewportSize({ width: 1000, height: 640 });
    await page.goto(`${base}#/workflows/1/timeline`);
    await page.getByText('37 attempts of 2 workers, 1 failed.').waitFor();
    await page.getByText('37 of 38 done').waitFor();
    await page.getByText('node2').first().waitFor();
    await page.locator('.gantt canvas').waitFor();
    // drawn in the next frame
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    const picture = await page.screenshot(isRefreshed ? { path: join(root, 'docs', 'drawings', 'dashboard.png') } : {});
    expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([1000, 640]);
    expect(wrong).toEqual([]);
  } finally {
    await browser.close();
    await place.remove();
    slurm.remove();
  }
});
