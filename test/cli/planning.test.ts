/** What the cluster offers, and the allocations that are planned with it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

const specification = `name: demo
jobs:
  - {name: prep, command: ./prep, resource_requirements: small}
  - {name: "work_{i}", command: "./work {i}", parameters: {i: "1:400"}, depends_on: [prep], resource_requirements: middle}
  - {name: train, command: ./train, depends_on_regexes: ["^work_"], resource_requirements: gpu}
resource_requirements:
  - {name: small, num_cpus: 1, memory: 100m, runtime: PT10M}
  - {name: middle, num_cpus: 2, memory: 200m, runtime: PT20M}
  - {name: gpu, num_cpus: 4, memory: 1g, num_gpus: 2, runtime: PT2H}
`;

interface Planned {
  allocations: {
    partition: string;
    num_allocations: number;
    starts: string;
    num_jobs: number;
    estimate: object | null;
  }[];
  misfits: { first_job: string; text: string; reason: { code: string } }[];
  num_jobs_left: number;
}

describe('a plan', () => {
  const words = ['hpc', 'slurm', 'plan'];

  it('of a specification says which allocations it needs, and so does that of the stored workflow', async () => {
    const file = place.file('demo.yaml', specification);
    const plan = await place.json<Planned>([...words, file]);
    expect(plan).toMatchObject({
      workflow_key: null,
      name: 'demo',
      cluster: 'fake',
      num_jobs: 402,
      num_jobs_left: 0,
      misfits: [],
      allocations: [
        { partition: 'main', starts: 'workflow_start', num_allocations: 1, num_jobs: 1, stages: [1] },
        // 4 jobs on each of 4 nodes
        { partition: 'main', starts: 'jobs_ready', starts_with_job: 'work_1', num_allocations: 4, jobs_at_once: 4 },
        { partition: 'gpu', starts_with_job: 'train', num_allocations: 1, num_gpus: 2, gpu_type: 'fake' },
      ],
    });
    await place.json(['workflows', 'create', file]);
    expect(await place.json([...words, '1'])).toEqual({ ...plan, workflow_key: '1' });
    expect(slurm.calls()).toHaveLength(3);
  });

  it('is a table of 80 columns, with what happens when', async () => {
    const { stdout } = await place.torc(...words, place.file('demo.yaml', specification));
    const lines = stdout.split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/^main +at once +1 +1 +00:15:00 +1/m);
    expect(stdout).toMatch(/^main +stage 2 +4 +1 /m);
    expect(stdout).toMatch(/^main, 4 nodes +\|=+ +\|$/m);
    expect(stdout).toMatch(/^stage 3 +\| +#+\|$/m);
  });

  it('keeps to the caps, and says what has no room', async () => {
    const file = place.file('demo.yaml', specification);
    const { allocations } = await place.json<Planned>([...words, file, '--max-nodes', '2']);
    expect(allocations.map((each) => each.num_allocations)).toEqual([1, 2, 1]);
    const few = await place.json<Planned>([...words, file, '-t', '1:00:00', '-p', 'main', '--max-allocations', '3']);
    expect(few.misfits).toMatchObject([
      { first_job: 'train', reason: { code: 'larger_than_any_node' }, text: expect.stringContaining('2 GPUs') },
    ]);
    expect(few.num_jobs_left).toBeGreaterThan(0);
    expect(await place.torc(...words, file, '-p', 'mian')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean'),
    });
  });
});

describe('--test-only', () => {
  const words = ['hpc', 'slurm', 'plan'];

  it('adds when Slurm could start each kind of allocation, and submits nothing', async () => {
    const file = place.file('demo.yaml', specification);
    const plan = await place.json<Planned>([...words, file]);
    expect(plan.allocations.map((each) => each.estimate)).toEqual([null, null, null]);
    expect(slurm.calls('sbatch')).toEqual([]);
    slurm.configure({ run: false, cpusPerNode: 8, maxTime: '2-00:00:00', startsAt: '2100-01-02T03:04:05Z' });
    slurm.behave({
      command: 'sbatch',
      stderr: 'allocation failure: Requested node configuration is not available\n',
      exitCode: 1,
    });
    const asked = await place.json<Planned>([...words, file, '--test-only']);
    expect(asked.allocations.map(({ estimate }) => estimate)).toEqual([
      { start_time: null, wait_seconds: null, refusal: 'Requested node configuration is not available', problem: null },
      { start_time: '2100-01-02T03:04:05.000Z', wait_seconds: expect.any(Number), refusal: null, problem: null },
      { start_time: '2100-01-02T03:04:05.000Z', wait_seconds: expect.any(Number), refusal: null, problem: null },
    ]);
    expect({ ...asked, allocations: asked.allocations.map((each) => ({ ...each, estimate: null })) }).toEqual(plan);
    expect(slurm.calls('sbatch').map(({ args }) => args)).toEqual(Array(3).fill(['--test-only']));
    expect(slurm.jobs()).toEqual([]);
    const { stdout } = await place.torc(...words, file, '--test-only');
    expect(stdout).toMatch(/^Slurm could start gpu, 1 node for 02:25:00 in .+, at 2100-01-02T03:04:05.000Z$/m);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('says of the one allocation what Slurm answered when that cannot be read', async () => {
    const file = place.file('demo.yaml', specification);
    slurm.behave({ command: 'sbatch', stderr: 'sbatch: lua: all is well\n', exitCode: 0 });
    const asked = await place.json<Planned>([...words, file, '--test-only']);
    const problem = 'sbatch --test-only: lua: all is well.';
    expect(asked.allocations.map(({ estimate }) => estimate)).toEqual([
      { start_time: null, wait_seconds: null, refusal: null, problem },
      ...Array(2).fill(expect.objectContaining({ start_time: expect.any(String), problem: null })),
    ]);
    slurm.behave({ command: 'sbatch', exitCode: 1 });
    expect((await place.torc(...words, file, '--test-only')).stdout).toMatch(
      /^not known when Slurm could start main, 1 node for 00:15:00: sbatch --test-only ended with exit code 1\.$/m,
    );
  });

  it('says so when it could start now, and ends with 6 when Slurm does not answer', async () => {
    const file = place.file('demo.yaml', specification);
    const { stdout } = await place.torc(...words, file, '--test-only');
    expect(stdout).toContain('Slurm could start main, 1 node for 00:15:00 now\n');
    slurm.behave({ command: 'sbatch', stderr: 'sbatch: error: Unable to contact slurm controller', exitCode: 1 });
    expect(await place.torc(...words, file, '--test-only')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('sbatch --test-only: Unable to contact slurm controller'),
    });
  });
});

describe('jobs with named resources', () => {
  it('are not planned, neither those of a specification nor those of a stored workflow', async () => {
    const file = place.file('demo.yaml', specification.replace('memory: 200m', 'memory: 200m, resources: {fpga: 1}'));
    const misfits = [
      { first_job: 'work_1', num_jobs: 400, reason: { code: 'needs_named_resources', resources: { fpga: 1 } } },
    ];
    const plan = await place.json<Planned>(['hpc', 'slurm', 'plan', file]);
    expect(plan).toMatchObject({ misfits, num_jobs_left: 1 });
    await place.json(['workflows', 'create', file]);
    expect(await place.json(['hpc', 'slurm', 'plan', '1'])).toEqual({ ...plan, workflow_key: '1' });
    const { stdout } = await place.torc('hpc', 'slurm', 'recommend-nodes');
    expect(stdout).toContain('work_1: they ask for 1 fpga, and torc does not know which nodes');
  });
});

describe('a planned specification', () => {
  it('asks for the allocations of its plan by itself, and keeps its comments', async () => {
    const file = place.file('demo.yaml', `# ours\n${specification}`);
    const made = await place.json<Planned>(['hpc', 'slurm', 'generate', file, '-a', 'acct', '-o', 'planned.yaml']);
    expect(made).toMatchObject({ output: 'planned.yaml', num_jobs_left: 0 });
    const text = readFileSync(join(place.path, 'planned.yaml'), 'utf8');
    expect(text).toMatch(/^# ours\nname: demo\n/);
    expect(await place.json(['submit', 'planned.yaml'])).toMatchObject({ slurm_job_ids: ['1'] });
    const [job] = slurm.jobs();
    expect(job?.directives).toMatchObject({ partition: 'main', account: 'acct', mem: '2000M', exclusive: '' });
    const { slurm_configs } = await place.json<{ slurm_configs: object[] }>(['hpc', 'slurm', 'list-configs']);
    expect(slurm_configs).toMatchObject([
      { name: 'main_stage1', walltime_seconds: 900 },
      { name: 'main_stage2', partition: 'main', num_nodes: 1 },
      { name: 'gpu_stage3', gres: 'gpu:fake:2', partition: 'gpu' },
    ]);
    expect(await place.torc('hpc', 'slurm', 'generate', 'planned.yaml')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('has slurm_schedulers already'),
    });
  });

  it('may be JSON', async () => {
    const jobs = [{ name: 'a', command: 'true' }];
    const file = place.file('demo.json', JSON.stringify({ name: 'demo', jobs }));
    const { stdout } = await place.torc('hpc', 'slurm', 'generate', file);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'demo',
      jobs,
      slurm_schedulers: [{ name: 'main', partition: 'main', extra: '--exclusive' }],
      actions: [{ trigger_type: 'on_workflow_start', scheduler: 'main', num_allocations: 1 }],
    });
  });

  it('is what submit --yes makes of one that says nothing about allocations', async () => {
    const file = place.file('demo.yaml', specification);
    expect(await place.torc('submit', file)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(await place.json(['submit', file, '--yes', '--dry-run'])).toMatchObject({ dry_run: true, schedulers: 3 });
    expect(slurm.jobs()).toEqual([]);
    const { stdout, stderr, code } = await place.torc('submit', file, '--yes');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^main +stage 2 +4 +1 /m) });
    expect(stdout).toContain('submitted 1 allocation: Slurm job 1');
  });

  it('is refused when a job fits nowhere, before anything is stored', async () => {
    const file = place.file('demo.yaml', specification.replace('memory: 200m', 'memory: 200g'));
    expect(await place.torc('submit', file, '--yes')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/400 jobs of .*demo.yaml cannot run on cluster fake: they ask for 200G of memory/),
    });
    expect(slurm.jobs()).toEqual([]);
    expect((await place.json<{ workflows: [] }>(['workflows', 'list'])).workflows).toEqual([]);
  });
});

describe('recommended nodes', () => {
  const words = ['hpc', 'slurm', 'recommend-nodes'];

  it('are those of the plan for the jobs that wait, on the cluster or on nodes as typed', async () => {
    await place.json(['workflows', 'create', place.file('demo.yaml', specification)]);
    const plan = await place.json(['hpc', 'slurm', 'plan', '1']);
    expect(await place.json(words)).toEqual(plan);
    const typed = await place.json<Planned>([...words, '-c', '2', '-m', '1g', '--max-nodes', '5']);
    expect(typed.allocations.map((each) => each.num_allocations)).toEqual([1, 5]);
    expect(typed.misfits).toMatchObject([{ first_job: 'train' }]);
    const { stdout } = await place.torc(...words);
    expect(stdout).toMatch(/^1 allocation of 1 node for 00:15:00, now: 1 job, up to 8 at once on each$/m);
    expect(stdout).toContain('hpc slurm schedule-nodes -n 1');
  });
});
