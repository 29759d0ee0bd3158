/** What the cluster offers, and the allocations that are planned with it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openService } from '../../src/server/open.ts';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { siteExample } from '../support/site.ts';
import { newPlace, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
beforeEach(() => {
  slurm = new FakeSlurm({ run: false, cpusPerNode: 8, maxTime: '2-00:00:00' });
  place = newPlace(slurm.env);
});
afterEach(async () => {
  await place.remove();
  slurm.remove();
});

const site = ['hpc', 'slurm', 'site'];

/** Stores profiles as if Slurm had said them at the beginning of 2026. */
async function storeOld(...clusters: string[]): Promise<void> {
  const service = await openService(place.dir, new FakeClock(), 'test');
  for (const cluster of clusters) await service.call('site_put', { site: { ...siteExample, cluster } });
  await service.close();
}

describe('the site profile', () => {
  it('is asked for by three commands, once', async () => {
    const first = await place.json<{ partitions: object[] }>([...site, 'show']);
    expect(first).toMatchObject({ cluster: 'fake', slurm_version: '22.05.8' });
    expect(first.partitions).toMatchObject([
      { name: 'main', is_default: true, max_time_seconds: 172_800, nodes: [{ num_nodes: 4, num_cpus: 8, gpus: [] }] },
      { name: 'gpu', is_default: false, nodes: [{ num_nodes: 2, gpus: [{ type: 'fake', count: 2 }] }] },
    ]);
    expect(slurm.calls()).toHaveLength(3);
    expect(await place.json([...site, 'show'])).toEqual(first);
    expect(slurm.calls()).toHaveLength(3);
    const { stdout } = await place.torc('slurm', 'site', 'show');
    expect(stdout).toMatch(/^main\* +4 +4 +4 +8 +2G +- +2-00:00:00/m);
    expect(stdout).toMatch(/^gpu +2 +2 +2 +8 +2G +2 fake/m);
  });

  it('is asked for again when it is older than a day, or when somebody says so', async () => {
    await storeOld('fake');
    expect(await place.json([...site, 'show'])).toMatchObject({ slurm_version: '22.05.8' });
    expect(slurm.calls()).toHaveLength(3);
    slurm.configure({ run: false, cpusPerNode: 16 });
    expect(await place.json([...site, 'refresh'])).toMatchObject({ partitions: [{ nodes: [{ num_cpus: 16 }] }, {}] });
    expect(slurm.calls()).toHaveLength(6);
    expect(await place.json([...site, 'show'])).toMatchObject({ partitions: [{ nodes: [{ num_cpus: 16 }] }, {}] });
  });

  it('is that of the cluster on which it is asked for', async () => {
    await place.json([...site, 'refresh']);
    await storeOld('other');
    expect(await place.json([...site, 'show'])).toMatchObject({ cluster: 'fake' });
    // which cluster this is, and nothing more
    expect(slurm.calls()).toHaveLength(4);
  });

  it("says Slurm's own words when it does not answer, and keeps nothing", async () => {
    slurm.behave({ command: 'scontrol', stderr: 'Unable to contact slurm controller', exitCode: 1 });
    expect(await place.torc(...site, 'show')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('scontrol: Unable to contact slurm controller'),
    });
    expect(await place.json([...site, 'show'])).toMatchObject({ cluster: 'fake' });
  });

  it('without Slurm is the one that is known, with its age', async () => {
    const away = { PATH: process.env.PATH ?? '' };
    const elsewhere = newPlace(away);
    try {
      expect(await elsewhere.torc(...site, 'show')).toMatchObject({
        code: 3,
        stderr: expect.stringContaining('login node'),
      });
      const service = await openService(elsewhere.dir, new FakeClock(), 'test');
      await service.call('site_put', { site: siteExample });
      await service.close();
      const { stdout, stderr } = await elsewhere.torc(...site, 'show');
      expect(stdout).toContain('cluster kite');
      expect(stderr).toContain('cluster kite as of 2026-01-01T00:00:00.000Z');
    } finally {
      await elsewhere.remove();
    }
  });
});
