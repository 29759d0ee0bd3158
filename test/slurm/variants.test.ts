/** The same loss under other settings of Slurm: memory limits without cgroups, and no accounting. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { requireCluster } from './cluster.ts';
import { expectOutOfMemoryStory, hogThatTakesTheWorkerAlong, plainHog } from './losing.ts';
import { siteFor } from './site.ts';

const cluster = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docker', 'cluster');

/** Makes the cluster anew with other settings. */
function switchTo(variant: string | undefined): void {
  const env = { ...process.env };
  if (variant === undefined) delete env.TORC_CLUSTER_CONF;
  else env.TORC_CLUSTER_CONF = variant;
  const { status, stderr } = spawnSync(cluster, ['up'], { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`docker/cluster up (${variant ?? 'as before'}): ${stderr}`);
}

const before = process.env.TORC_CLUSTER_CONF;
beforeAll(requireCluster);
afterAll(() => switchTo(before));

describe('OverMemoryKill takes the whole step', () => {
  beforeAll(() => switchTo('overmemorykill'));

  it('which torc tells from any other SIGKILL', async (context) => {
    const site = await siteFor(context, 'overmemorykill');
    await expectOutOfMemoryStory(site, { hog: plainHog, slurmState: 'FAILED', memoryMb: 300 });
  });
});

describe('without accounting', () => {
  beforeAll(() => switchTo('noaccounting'));

  it('squeue and the evidence of torc itself are enough', async (context) => {
    const site = await siteFor(context, 'noaccounting');
    await expectOutOfMemoryStory(site, {
      hog: hogThatTakesTheWorkerAlong,
      slurmState: 'OUT_OF_MEMORY',
      memoryMb: 300,
    });
  });
});
