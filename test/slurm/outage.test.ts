/** Nodes and Slurm's own daemons that go away: nothing is concluded too early, nothing is lost. One at a time. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DiagnosedJob } from '../../src/api/contract.ts';
import {
  type Node,
  nodeBack,
  output,
  power,
  repairCluster,
  requireCluster,
  run,
  signalDaemons,
  slurm,
  slurmDaemons,
  until,
} from './cluster.ts';
import { comesBack, lostCauses } from './losing.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);
afterEach(repairCluster);

async function startOn(site: Site, node: Node, jobs: object[]): Promise<string> {
  await site.startServer('ctl', 10);
  const key = await site.start({ name: `on ${node}`, jobs });
  await site.addConfig(key, '-w', '10', '-m', '200', '-e', `--nodelist=${node} --no-requeue`);
  await site.schedule(key, '-n', '1');
  return key;
}

async function running(site: Site, key: string, name: string): Promise<void> {
  await until(`${name} runs`, async () => (await site.job(key, name)).status === 'submitted');
}

describe('a node that dies', () => {
  it('is told from a silent one by Slurm alone; then its job comes back by itself', async (context) => {
    const site = await siteFor(context, 'node-fail');
    const key = await startOn(site, 'c4', [{ name: 'long', command: 'test -e again || sleep 600' }]);
    await running(site, key, 'long');
    power('c4', 'off');
    const [first, refused] = await Promise.all([
      site.json<{ jobs: DiagnosedJob[] }>(['jobs', 'diagnose', '-k', key]),
      site.torc(['workflows', 'restart', key, '--dry-run']),
    ]);
    // Slurm takes 14 s or more to notice it, which a busy machine may need to say this; until then silence proves nothing
    const hasNoticed = (await slurm(['sinfo', '-h', '-p', 'main', '-n', 'c4', '-o', '%t'])).startsWith('down');
    expect([first.jobs[0]?.diagnosis.process, hasNoticed]).not.toEqual(['gone', false]);
    if (!hasNoticed || refused.exitCode !== 0) {
      expect(refused.exitCode).toBe(4);
      expect(refused.stderr).toContain('long');
    }
    await comesBack(site, key, 'long');
    expect((await site.shown(key)).status).toBe('waiting');
    expect(await lostCauses(site, 'long', key)).toEqual(['node_failure']);
    power('c4', 'on');
    await site.write('again', '');
    await nodeBack('c4');
    await site.schedule(key, '-n', '1');
    expect(await site.ended(key)).toMatchObject({ status: 'done', run_id: 1 });
  });
});

describe("Slurm's daemons", () => {
  it('may stand still for a minute: no state changes, jobs end and report, and what was lost is found afterwards', async (context) => {
    const site = await siteFor(context, 'slurm-away');
    const key = await startOn(site, 'c1', [
      { name: 'short', command: 'sleep 20' },
      { name: 'long', command: 'sleep 600' },
    ]);
    await running(site, key, 'short');
    const [allocation] = await site.allocations(key);
    const id = allocation?.slurm_job_id ?? '';
    signalDaemons('STOP', slurmDaemons);
    await until('a job ends without Slurm', async () => (await site.job(key, 'short')).status === 'done');
    await running(site, key, 'long');
    // the worker dies while nobody can be asked
    const kill = `pgrep -u hpc -f "run-jobs ${key} " | xargs -r -n1 sh -c 'grep -qzx "SLURM_JOB_ID=${id}" /proc/$0/environ && kill -9 $0'; true`;
    await output(['bash', '-c', kill], { node: 'c1' });
    for (let asked = 1; asked <= 2; asked++) {
      const { jobs } = await site.json<{ jobs: DiagnosedJob[] }>(['jobs', 'diagnose', '-k', key]);
      expect(jobs[0]?.diagnosis.process).not.toBe('gone');
      expect(await site.job(key, 'long')).toMatchObject({ status: 'submitted', orphaned: false });
    }
    signalDaemons('CONT', slurmDaemons);
    await comesBack(site, key, 'long');
    expect(await lostCauses(site, 'long', key)).toEqual(['worker_lost']);
    expect((await run(['grep', '-c', '"level":60', `${site.directory}/server.jsonl`])).stdout.trim()).toBe('0');
  });
});
