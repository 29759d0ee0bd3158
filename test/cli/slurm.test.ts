import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { eachTestWithSlurm, newPlace, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: false }, (made) => {
  ({ place, slurm } = made);
});

interface Allocation {
  name: string;
  script: string;
  slurm_job_id: string | null;
}
interface Plan {
  dry_run: boolean;
  starts_server: boolean;
  allocations: Allocation[];
}

const schedule = ['hpc', 'slurm', 'schedule-nodes'];

async function startedWorkflow(...commands: string[]): Promise<string> {
  const key = await place.create(...commands);
  await place.json(['hpc', 'slurm', 'add-config', '-a', 'my account', '-w', '10', '-m', '2G']);
  await place.torc('workflows', 'start', key);
  return key;
}

async function allocations(): Promise<{ status: string; slurm_job_id: string | null; error: string | null }[]> {
  return (await place.json<{ allocations: [] }>(['hpc', 'slurm', 'allocations'])).allocations;
}

describe('Slurm configs', () => {
  it('are stored with default values, listed and changed', async () => {
    await place.create('true');
    await place.json(['hpc', 'slurm', 'add-config', '-a', 'acc']);
    await place.json(['slurm', 'add-config', '-N', 'gpu', '-a', 'acc', '-n', '2', '-w', '1-00:00:00', '-g', 'gpu:4']);
    const { slurm_configs } = await place.json<{ slurm_configs: object[] }>(['hpc', 'slurm', 'list-configs']);
    expect(slurm_configs).toMatchObject([
      {
        name: 'default',
        account: 'acc',
        qos: 'normal',
        walltime_seconds: 14_400,
        num_nodes: 1,
        partition: null,
        gres: null,
      },
      { name: 'gpu', walltime_seconds: 86_400, num_nodes: 2, gres: 'gpu:4' },
    ]);
    await place.json(['hpc', 'slurm', 'modify-config', '2', '-g', '', '-p', 'short']);
    expect(await place.json(['hpc', 'slurm', 'list-configs', '-f', 'name=gpu'])).toMatchObject({
      slurm_configs: [{ gres: null, partition: 'short', walltime_seconds: 86_400 }],
    });
  });

  it('reject values that a script cannot contain', async () => {
    await place.create('true');
    const add = ['hpc', 'slurm', 'add-config', '-N', 'x', '-a', 'acc'];
    expect(await place.torc(...add, '-p', 'a\n#SBATCH --wrap=x')).toMatchObject({ code: 2 });
    expect(await place.torc(...add, '-e', '--array=1-9')).toMatchObject({ code: 2 });
    expect(await place.torc(...add, '-w', 'UNLIMITED')).toMatchObject({ code: 2 });
    expect(await place.torc('hpc', 'slurm', 'add-config')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('account'),
    });
    expect(await place.json(['hpc', 'slurm', 'list-configs'])).toEqual({ slurm_configs: [] });
  });
});

describe('schedule-nodes', () => {
  it('prints in a dry run exactly the plan that is then applied, and submits nothing', async () => {
    await startedWorkflow('true');
    const words = [...schedule, '-n', '2', '-o', 'out put', '-S', '-m', '3'];
    const planned = await place.json<Plan>([...words, '--dry-run']);
    expect(slurm.calls().filter(({ command }) => command !== 'scontrol')).toEqual([]);
    expect(existsSync(join(place.path, 'out put'))).toBe(false);
    expect(await allocations()).toEqual([]);
    const applied = await place.json<Plan>(words);
    const withoutIds = applied.allocations.map((allocation) => ({ ...allocation, slurm_job_id: null }));
    expect({ ...applied, dry_run: true, allocations: withoutIds }).toEqual(planned);
    expect(planned).toMatchObject({ dry_run: true, starts_server: true });
    expect(new Set(applied.allocations.map((allocation) => allocation.name)).size).toBe(2);
  });

  it('submits with its settings, starts a server, and leaves no script and no secret behind', async () => {
    const key = await startedWorkflow('true');
    const ended = await place.torc(...schedule, '-n2', '-o', 'out', '-j', 'my_prefix');
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('Started a server') });
    const jobs = slurm.jobs();
    expect(jobs.map((job) => job.directives)).toMatchObject(
      Array(2).fill({ account: 'my account', time: '00:10:00', mem: '2G' }),
    );
    for (const job of jobs) expect(job.name).toMatch(new RegExp(`^my_prefix_${key}_[0-9a-f]{8}$`));
    expect(await allocations()).toMatchObject(
      jobs.map((job) => ({ status: 'submitted', slurm_job_id: job.id, error: null })),
    );
    expect(existsSync(join(place.dir, 'slurm_scripts'))).toBe(false);
    const { token } = JSON.parse(readFileSync(join(place.dir, 'server.json'), 'utf8'));
    expect(JSON.stringify(jobs)).not.toContain(token);
    const again = await place.torc(...schedule, '-n', '1', '-k');
    expect(again.stderr).toBe('');
    expect(readdirSync(join(place.dir, 'slurm_scripts'))).toHaveLength(1);
  });

  it('runs the jobs of the workflow in the allocation', async () => {
    slurm.configure({ run: true });
    const key = await startedWorkflow('echo one', 'exit 3');
    await place.json([...schedule, '-n', '1', '-o', 'out']);
    const status = async () => (await place.json<{ status: string }>(['workflows', 'show', key])).status;
    await expect.poll(status).toBe('failed');
    const { results } = await place.json<{ results: object[] }>(['results', 'list', '--sort-by', 'job_key']);
    const [allocation] = slurm.jobs();
    expect(results).toMatchObject([
      { return_code: 0, slurm_job_id: allocation?.id },
      { return_code: 3, slurm_job_id: allocation?.id },
    ]);
    const logs = readdirSync(join(place.path, 'out')).filter((name) => /^worker_.+\.log$/.test(name));
    expect(logs).toEqual([expect.stringContaining(`_${allocation?.id}.log`)]);
  });

  it('ends with 6 and the message of sbatch, records the refusal and submits no more', async () => {
    await startedWorkflow('true');
    slurm.behave({ command: 'sbatch', stderr: '', exitCode: 0, instead: false });
    slurm.behave({
      command: 'sbatch',
      stderr:
        'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified\n',
      exitCode: 1,
    });
    const ended = await place.torc('-F', 'json', ...schedule, '-n', '5');
    expect(ended).toMatchObject({ code: 6, stdout: '' });
    const [first] = slurm.jobs();
    expect(JSON.parse(ended.stderr).error).toMatchObject({
      code: 'slurm',
      message: expect.stringMatching(new RegExp(`Invalid account.*1 of 5 allocations.*Slurm jobs ${first?.id}\\.`)),
    });
    expect(slurm.calls('sbatch')).toHaveLength(2);
    expect(await allocations()).toMatchObject([
      { status: 'submitted', slurm_job_id: first?.id },
      { status: 'refused', slurm_job_id: null, error: expect.stringContaining('Invalid account') },
    ]);
  });

  it('finds its allocation among other numbers that sbatch prints, and cancels no other', async () => {
    const key = await startedWorkflow('true');
    slurm.behave({ command: 'sbatch', instead: false, stdout: 'hours left:\n99\n', times: 2 });
    await place.torc('-k', key, ...schedule, '-n', '2', '-o', 'out');
    const submitted = slurm.jobs().map(({ id }) => id);
    expect((await allocations()).map(({ slurm_job_id }) => slurm_job_id)).toEqual(submitted);
    // one that the queue does not show is not known, and no number is taken for its id
    slurm.behave({ command: 'sbatch', stdout: '99\nproject 7\n' });
    const unclear = await place.torc('-k', key, ...schedule, '-n', '1', '-o', 'out');
    expect(unclear).toMatchObject({ code: 6, stderr: expect.stringContaining('"99 / project 7"') });
    expect((await allocations()).map(({ slurm_job_id }) => slurm_job_id)).toEqual([...submitted, null]);
    await place.torc('workflows', 'cancel', key);
    const cancelled = new Set(slurm.calls('scancel').flatMap(({ args }) => args.filter((arg) => /^\d/.test(arg))));
    expect([...cancelled].sort()).toEqual([...submitted].sort());
  });

  it('reports errors before anything happens', async () => {
    const key = await place.create('true');
    expect(await place.torc(...schedule, '-n', '1')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`workflows start ${key}`),
    });
    await place.torc('workflows', 'start', key);
    expect(await place.torc(...schedule, '-n', '1')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('add-config'),
    });
    await place.json(['hpc', 'slurm', 'add-config', '-a', 'acc']);
    expect(await place.torc(...schedule, '-n', '1', '-s', '99')).toMatchObject({ code: 3 });
    expect(await place.torc(...schedule, '-n', '1', '--no-server')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('server start'),
    });
    expect(await place.torc(...schedule, '-n', '1', '-j', 'a/b')).toMatchObject({ code: 2 });
    expect(slurm.calls().filter(({ command }) => command !== 'scontrol')).toEqual([]);
    expect(await allocations()).toEqual([]);
  });

  it('leaves a server behind when the run that served ends before the allocations', async () => {
    const run = place.start('run', place.file('wait.txt', 'while [ ! -e go ]; do sleep 0.05; done\n'));
    const isRunning = async () =>
      (await place.torc('jobs', 'list', '-f', 'status=submitted')).stdout.includes('submitted');
    await expect.poll(isRunning).toBe(true);
    await place.json(['hpc', 'slurm', 'add-config', '-a', 'my account']);
    const plan = await place.json<Plan>([...schedule, '-n', '1']);
    expect(plan.starts_server).toBe(false);
    place.file('go', '');
    expect(await run.ended).toMatchObject({ code: 0, stderr: expect.stringContaining('Started a server') });
    const status = await place.json<{ pid: number }>(['server', 'info']);
    expect(status.pid).not.toBe(run.child.pid);
  });

  it('cancels allocations with their workflow', async () => {
    const key = await startedWorkflow('true');
    await place.json([...schedule, '-n', '2']);
    const ids = slurm.jobs().map((job) => job.id);
    const planned = await place.json<Plan>(['workflows', 'cancel', key, '--dry-run']);
    expect(slurm.calls('scancel')).toEqual([]);
    const applied = await place.json<Plan>(['workflows', 'cancel', key]);
    expect(applied).toEqual({ ...planned, dry_run: false });
    expect(applied.allocations.map((allocation) => allocation.slurm_job_id)).toEqual(ids);
    expect(slurm.calls('scancel')).toMatchObject([{ args: ids }]);
  });

  it('cancels the other workflows too where scancel fails, and reports each failure', async () => {
    const keys = [await place.create('true'), await place.create('true'), await place.create('true')];
    for (const key of keys) {
      await place.json(['-k', key, 'hpc', 'slurm', 'add-config', '-a', 'acc', '-w', '10']);
      await place.json(['workflows', 'start', key]);
      await place.json(['-k', key, ...schedule, '-n', '1']);
    }
    const [first, , third] = slurm.jobs().map((job) => job.id);
    slurm.behave({ command: 'scancel', exitCode: 1, stderr: 'scancel: error: Access/permission denied' });
    slurm.behave({ command: 'scancel', instead: false });
    slurm.behave({ command: 'scancel', exitCode: 1, stderr: 'scancel: error: Zero Bytes were transmitted' });
    const canceled = await place.torc('cancel', ...keys);
    expect(canceled).toMatchObject({ code: 6 });
    expect(canceled.stdout).toContain(
      `canceled workflow ${keys[0]}: 1 job canceled, Slurm jobs not canceled: ${first}\n`,
    );
    expect(canceled.stdout).toContain(`canceled workflow ${keys[1]}: 1 job canceled, Slurm jobs canceled: `);
    expect(canceled.stderr).toContain(`workflow ${keys[0]} is canceled, but its allocations are not: `);
    expect(canceled.stderr).toContain(`workflow ${keys[2]} is canceled, but its allocations are not: `);
    expect(canceled.stderr).toContain(`hint: scancel ${first} ${third}\n`);
    expect(slurm.jobs().map(({ state }) => state.split(' ')[0])).toEqual(['PENDING', 'CANCELLED', 'PENDING']);
  });

  it('S48: a cancel ends the processes in an allocation, and keeps what is done', async () => {
    slurm.configure({ run: true });
    const key = await startedWorkflow('true', 'echo $$ > pid.new; mv pid.new pid; exec sleep 600', 'true');
    await place.json([...schedule, '-n', '1', '-o', 'out']);
    const jobs = async () => (await place.json<{ jobs: { status: string }[] }>(['jobs', 'list'])).jobs;
    const statuses = async () => (await jobs()).map(({ status }) => status).join(' ');
    await expect.poll(() => existsSync(join(place.path, 'pid'))).toBe(true);
    await expect.poll(statuses).toBe('done submitted done');
    const pid = readFileSync(join(place.path, 'pid'), 'utf8').trim();
    expect(await place.json(['workflows', 'cancel', key])).toMatchObject({ workflow_key: key });
    expect(slurm.calls('scancel')).toMatchObject([{ args: [slurm.jobs()[0]?.id] }]);
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
    expect(await statuses()).toBe('done canceled done');
    expect(await place.json(['workflows', 'show', key])).toMatchObject({ status: 'canceled', num_done: 2 });
  });
});

describe('workflows resume --schedule', () => {
  it('starts the next run and submits nodes for it; what cannot be submitted leaves the run as it is', async () => {
    const key = await place.create('test -e fixed', 'true');
    await place.torc('workflows', 'start', key);
    expect((await place.torc('jobs', 'run', key, '-o', 'out')).code).toBe(1);
    place.file('fixed', '');
    const words = ['workflows', 'resume', key, '--schedule', '2'];
    const run = () => place.json(['workflows', 'show', key]);
    expect(await place.torc(...words)).toMatchObject({ code: 3, stdout: '' });
    expect(await run()).toMatchObject({ run_id: 1, status: 'failed' });
    await place.json(['hpc', 'slurm', 'add-config', '-k', key, '-a', 'acc']);
    const planned = await place.json<Plan>([...words, '--dry-run']);
    expect(planned).toMatchObject({ dry_run: true, run_id: 2, num_ready: 1 });
    expect([slurm.jobs(), await run()]).toMatchObject([[], { run_id: 1 }]);
    const applied = await place.json<Plan>(words);
    expect(applied.allocations.map(({ slurm_job_id }) => slurm_job_id)).toEqual(slurm.jobs().map(({ id }) => id));
    expect(applied).toMatchObject({ ...planned, dry_run: false, allocations: [{}, {}] });
    expect(await run()).toMatchObject({ run_id: 2, num_ready: 1 });
    // a run that has not ended goes on, with more nodes
    expect(await place.json([...words.slice(0, -1), '1'])).toMatchObject({
      run_id: 2,
      begins_run: false,
      num_ready: 1,
    });
    expect(slurm.jobs()).toHaveLength(3);
  });
});

describe('the worker of an allocation', () => {
  const words = ['hpc', 'slurm', 'run-jobs', '1', '--allocation', '1', '--output', 'out', '--walltime', '60'];

  it('fails outside Slurm', async () => {
    expect(await place.torc(...words)).toMatchObject({ code: 2, stderr: expect.stringContaining('SLURM_JOB_ID') });
  });

  it('loads only a few files, because a thousand may start at once', async () => {
    const coverage = join(place.path, 'coverage');
    const other = newPlace({ NODE_V8_COVERAGE: coverage });
    await other.torc(...words);
    const loaded = readdirSync(coverage).flatMap((name) => {
      const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] };
      return result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
    });
    await other.remove();
    expect(loaded.some((url) => url.includes('worker'))).toBe(true);
    // nothing of the short commands, either
    expect(loaded.filter((url) => url.includes('/short-'))).toEqual([]);
    expect(loaded.length).toBeLessThan(12);
  });
});
