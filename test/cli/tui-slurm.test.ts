/** `torc tui` and Slurm: nodes are asked for after their plan was shown. */
import { describe, expect, it } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { hasTmux, openTerminal } from '../support/terminal.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: false }, (made) => {
  ({ place, slurm } = made);
});

const specification = {
  name: 'study',
  jobs: [1, 2, 3].map((n) => ({ name: `work_${n}`, command: 'true', resource_requirements: 'r' })),
  resource_requirements: [{ name: 'r', num_cpus: 2, memory: '100m', runtime: 'PT20M' }],
  slurm_schedulers: [{ name: 's', account: 'acct', walltime: '01:00:00' }],
};

describe.skipIf(!hasTmux)('torc tui with Slurm', () => {
  it('schedules nodes and sets the autoscaler, each with its plan first, and ends it', async () => {
    await place.torc('workflows', 'create', place.file('study.json', JSON.stringify(specification)));
    await place.torc('workflows', 'start', '1');
    await place.torc('server', 'start', '--daemon');
    const size = { columns: 100, rows: 40 };
    const tui = await openTerminal(place.path, size, { ...slurm.env, TORC_DIR: place.dir });
    try {
      tui.enter('torc tui 1');
      await tui.shows('s nodes');
      tui.paste('s\x7f2\n');
      await tui.shows('$ torc hpc slurm schedule-nodes -k 1 -n 2');
      tui.paste('G');
      await tui.shows('dry run: 2 allocations of workflow 1 would be submitted');
      expect(slurm.jobs()).toEqual([]);
      tui.paste('y');
      await tui.shows('submitted 2 allocations of workflow 1');
      expect(slurm.jobs()).toHaveLength(2);
      tui.press('Escape');
      await tui.shows('2 queued');
      // not a number of nodes: asked again
      tui.paste('a\x7f\x7fx\n');
      await tui.shows('nodes of workflow 1 at a time, at most: 10_');
      tui.paste('\x7f\x7f3\n');
      await tui.shows('$ torc workflows autoscale 1 --max 3');
      await tui.shows('workflow 1 would ask for nodes by itself');
      tui.paste('y');
      await tui.shows('workflow 1 asks for nodes by itself');
      // scaled from the number that it has
      tui.paste('\x1bm');
      await tui.shows('nodes of workflow 1 at a time, at most: 3_');
      tui.paste('\x7f4\n');
      await tui.shows('$ torc workflows autoscale 1 --max 4');
      await tui.shows('at most 4 nodes');
      await tui.shows('Do it?');
      tui.paste('y');
      await tui.shows('workflow 1 asks for nodes by itself');
      expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ autoscaler: { max_nodes: 4 } });
      // the page is read again before the key says what it does
      tui.paste('\x1ba');
      await tui.shows('workflow 1 would ask for no more nodes');
      tui.paste('n');
      await tui.shows('a autoscale off');
      tui.paste('a');
      await tui.shows('Do it?');
      tui.paste('y');
      await tui.shows('workflow 1 asks for no more nodes');
      tui.press('Escape');
      await tui.shows('torc workflow 1');
      await expect.poll(() => tui.screen()).not.toContain('of at most 4 nodes');
      expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ autoscaler: null });
      tui.paste('q');
      expect(await tui.ended()).toBe(0);
    } finally {
      tui.close();
    }
  });
});
