/** Workflows that ask for nodes by themselves, as a person types them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: false }, (made) => {
  ({ place, slurm } = made);
});

interface Autoscaled {
  dry_run: boolean;
  autoscaler: { max_nodes: number; max_queued: number; num_nodes: number } | null;
  allocations: { action: string; num_nodes: number; slurm_job_id: string | null }[];
  queued_slurm_job_ids: string[];
}

const autoscale = ['workflows', 'autoscale'];
const waiting = { timeout: 60_000, interval: 100 };
const jobs = (asked: object, ...more: object[]): string =>
  JSON.stringify({
    name: 'study',
    jobs: [1, 2, 3].map((n) => ({ name: `work_${n}`, command: 'true', resource_requirements: 'r' })),
    resource_requirements: [{ name: 'r', num_cpus: 2, memory: '100m', runtime: 'PT20M', ...asked }],
    ...Object.assign({}, ...more),
  });

function expectNothingStored(): void {
  expect(existsSync(join(place.dir, 'torc.db'))).toBe(false);
}

describe('submit --autoscale', () => {
  it('starts a server that submits what the jobs need, and says what is set', async () => {
    const file = place.file('study.json', jobs({}));
    const planned = await place.json(['submit', file, '--autoscale', '--max', '3', '-a', 'acct', '--dry-run']);
    expect(planned).toMatchObject({ dry_run: true, allocations: 0, max_nodes: 3 });
    expectNothingStored();
    const done = await place.torc('submit', file, '--autoscale', '--max', '3', '-a', 'acct', '-t', '4:00:00');
    expect(done).toMatchObject({ code: 0, stderr: expect.stringContaining('Started a server') });
    expect(done.stdout).toContain('the server asks for nodes: at most 3 nodes');
    // nodes have 2 CPUs, and each job takes both
    await vi.waitFor(() => expect(slurm.jobs()).toHaveLength(3), waiting);
    expect(slurm.jobs()[0]?.directives).toMatchObject({ account: 'acct' });
    await vi.waitFor(async () => {
      expect((await place.torc('status', '1')).stdout).toContain('3 of at most 3 nodes, 3 allocations queued');
    }, waiting);
  });

  it('stores nothing when an allocation has more nodes than it may have', async () => {
    const file = place.file('wide.json', jobs({ num_nodes: 4 }));
    for (const more of [['--dry-run'], []]) {
      expect(await place.torc('submit', file, '--autoscale', '--max', '2', '-a', 'acct', ...more)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('an allocation has 4 nodes, and the maximum is 2'),
      });
    }
    expectNothingStored();
  });

  it('also submits what the specification does, and says so before', async () => {
    const action = { trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler: 's' };
    const own = {
      slurm_schedulers: [{ name: 's', account: 'acct' }],
      actions: [{ ...action, scheduler_type: 'slurm', num_allocations: 2 }],
    };
    const file = place.file('own.json', jobs({}, own));
    const words = ['submit', file, '--autoscale', '--max', '3'];
    expect(await place.json([...words, '--dry-run'])).toMatchObject({ allocations: 2, max_nodes: 3 });
    await place.json(words);
    // the autoscaler may have looked before the action was carried out
    await vi.waitFor(() => expect(slurm.jobs().length).toBeGreaterThanOrEqual(2), waiting);
  });

  it('is refused with words that contradict it', async () => {
    const file = place.file('study.json', jobs({}));
    expect(await place.torc('submit', file, '--max', '3', '-n', '1')).toMatchObject({ code: 2 });
    expect(await place.torc('submit', file, '--autoscale', '-n', '1')).toMatchObject({ code: 2 });
    expect(await place.torc('submit', file, '--autoscale', '-a', 'acct', '--max', '2000000')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--max '2000000' is not a whole number from 1 to 1000000"),
    });
    expectNothingStored();
  });

  it('asks for no node that lacks a named resource of the jobs, and says so', async () => {
    const file = place.file('fpga.json', jobs({ resources: { fpga: 1 } }));
    await place.json(['submit', file, '--autoscale', '-a', 'acct']);
    await vi.waitFor(async () => {
      const { stdout } = await place.torc('status', '1');
      expect(stdout).toContain('no Slurm config has the room, the walltime or the named resources for 3 ready jobs');
      expect(stdout).toContain('-k 1 hpc slurm list-configs');
    }, waiting);
    const { child } = place.start('watch', '1');
    let notes = '';
    child.stderr?.on('data', (text) => {
      notes += text;
    });
    // nothing but a person helps
    await vi.waitFor(
      () => expect(notes).toMatch(/workflow 1: 3 jobs wait for a node .*hpc slurm list-configs/),
      waiting,
    );
    expect(slurm.jobs()).toEqual([]);
    await place.json(['hpc', 'slurm', 'modify-config', '1', '--resource', 'fpga=1']);
    expect(await place.json<Autoscaled>([...autoscale, '1', '--dry-run'])).toMatchObject({
      allocations: [{ action: 'submit' }, { action: 'submit' }, { action: 'submit' }],
    });
  });
});

describe('workflows autoscale', () => {
  it('shows what it would do, does it, changes what is named, and is turned off', async () => {
    const file = place.file('study.json', jobs({}, { slurm_schedulers: [{ name: 's', account: 'acct' }] }));
    await place.json(['workflows', 'create', file]);
    const planned = await place.json<Autoscaled>([...autoscale, '1', '--max', '5', '--dry-run']);
    expect(planned).toMatchObject({ dry_run: true, autoscaler: { max_nodes: 5 } });
    expect((await place.json<{ autoscaler: null }>(['workflows', 'show', '1'])).autoscaler).toBeNull();
    await place.json([...autoscale, '1', '--max', '5']);
    const started = await place.torc('workflows', 'start', '1');
    // nobody has to submit anything
    expect(started.stdout).toContain('watch 1');
    expect(started.stdout).not.toContain('schedule-nodes');
    await vi.waitFor(() => expect(slurm.jobs().length).toBeGreaterThan(0), waiting);
    const changed = await place.json<Autoscaled>([...autoscale, '1', '--max-queued', '2']);
    expect(changed.autoscaler).toMatchObject({ max_nodes: 5, max_queued: 2 });

    expect(await place.torc(...autoscale, '1', '--off', '--max', '3')).toMatchObject({ code: 2 });
    expect(await place.torc(...autoscale, '1', '--off', '--no-chain')).toMatchObject({ code: 2 });
    await vi.waitFor(async () => {
      const off = await place.json<Autoscaled>([...autoscale, '1', '--off', '--dry-run']);
      expect(off).toMatchObject({ dry_run: true, autoscaler: null });
      expect(off.queued_slurm_job_ids).toEqual(slurm.jobs().map(({ id }) => id));
    }, waiting);
    // global options may follow
    expect(await place.json<Autoscaled>([...autoscale, '1', '--off', '-F', 'json'])).toMatchObject({
      autoscaler: null,
    });
    expect((await place.json<{ autoscaler: null }>(['workflows', 'show', '1'])).autoscaler).toBeNull();
    expect(await place.torc(...autoscale, '1', '--off')).toMatchObject({
      code: 0,
      stdout: 'workflow 1 asks for no more nodes\n',
    });
  });

  it('has a server again when its jobs are reset and run once more', async () => {
    const file = place.file('study.json', jobs({}, { slurm_schedulers: [{ name: 's', account: 'acct' }] }));
    await place.json(['workflows', 'create', file]);
    await place.json([...autoscale, '1']);
    await place.json(['workflows', 'start', '1']);
    await place.torc('cancel', '1');
    await place.torc('server', 'stop');
    const again = await place.torc('workflows', 'reset-status', '1', '--restart', '--no-prompts');
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('Started a server') });
    expect(again.stdout).toContain('started run 2 of workflow 1');
    expect(again.stdout).not.toContain('schedule-nodes');
  });

  it('refuses what makes no sense, and changes nothing', async () => {
    await place.create('true');
    expect(await place.torc(...autoscale, '1')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('has no Slurm config'),
    });
    await place.json(['hpc', 'slurm', 'add-config', '-a', 'acct']);
    for (const words of [
      ['--max', '0'],
      ['-t', '0:00:30'],
      ['--max', '2', '--min', '3'],
      ['--idle', 'soon'],
      ['--chain', '--max', '1'],
    ]) {
      expect(await place.torc(...autoscale, '1', ...words), words.join(' ')).toMatchObject({ code: 2 });
    }
    expect((await place.json<{ autoscaler: null }>(['workflows', 'show', '1'])).autoscaler).toBeNull();
  });
});
