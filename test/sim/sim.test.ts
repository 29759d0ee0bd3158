/** Fixed seeds of the simulator; `npm run sim` runs any number of them. */

import { execa } from 'execa';
import { expect, it } from 'vitest';
import { runSeed } from './seed.ts';

it('the first 200 seeds hold', async () => {
  const { exitCode, stdout, stderr } = await execa('node', ['scripts/sim.mjs', '--seeds', '200'], { reject: false });
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ seeds: 200, failed: [] });
  // 20 s on two idle cores
}, 600_000);

it('a seed runs the same way each time', async () => {
  const [one, other] = [await runSeed(7), await runSeed(7)];
  expect(one.trace.length).toBeGreaterThan(20);
  expect(other).toEqual(one);
});
