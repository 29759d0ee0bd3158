/** Fixed seeds of the simulator; `npm run sim` runs any number of them. */

import { execa } from 'execa';
import { expect, it } from 'vitest';

it('the first 200 seeds hold', async () => {
  const { exitCode, stdout, stderr } = await execa('node', ['scripts/sim.mjs', '--seeds', '200'], { reject: false });
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ seeds: 200, failed: [] });
  // 20 s on two idle cores
}, 600_000);

it('a seed runs the same way each time, whatever ran before it and however long files take', async () => {
  // one of these finds a full disk, and looks whether there is room again
  const args = ['scripts/sim.mjs', '--twice', '--seeds', '8', '--first', '9060', '--jobs', '1'];
  const { exitCode, stdout, stderr } = await execa('node', args, { reject: false });
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ seeds: 8, failed: [] });
}, 600_000);
