/** What jobs have used, and requests that follow it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import { createWorkflow, finished, TestWorker } from '../support/service.ts';
import { newPlace, type Place } from './place.ts';

interface Change {
  job_name: string;
  changes: { field: string; old_value: unknown; new_value: unknown }[];
}
interface Plan {
  dry_run: boolean;
  jobs: Change[];
  running: string[];
}

let place: Place;
beforeAll(async () => {
  place = newPlace();
  const jobs = [1, 2, 3].map((n) => ({ name: `work_${n}`, command: 'sleep 0.05', resource_requirements: 'long' }));
  const spec = {
    name: 'w',
    resource_requirements: [
      { name: 'long', num_cpus: 1, memory: '1g', runtime: 'PT20M' },
      { name: 'memory', num_cpus: 1, memory: '1g' },
      { name: 'expected', num_cpus: 1, memory: '1g', runtime: 'PT20M', expected_runtime: 'PT5M' },
    ],
    jobs: [
      ...jobs,
      ...[1, 2].map((n) => ({ name: `early_${n}`, command: 'sleep 0.3', resource_requirements: 'expected' })),
      { name: 'other', command: 'sleep 0.05' },
      { name: 'some_1', command: 'sleep 1', resource_requirements: 'expected' },
      { name: 'some_2', command: 'true' },
      { name: 'some_3', command: 'true', resource_requirements: 'memory' },
    ],
  };
  await place.json(['workflows', 'create', place.file('w.json', JSON.stringify(spec))]);
  await place.json(['workflows', 'start', '1']);
  await place.json(['jobs', 'hold', 'work_3', 'early_2', 'some_2', 'some_3', '-k', '1']);
  await place.torc('jobs', 'run', '1', '-o', 'out', '-t', 'PT30M', '--wait-for-new-jobs', '0');
});
afterAll(() => place.remove());

it('are reported by the forms of their names, also as text', async () => {
  const { usage } = await place.json<{ usage: Record<string, unknown>[] }>(['reports', 'resources', '1']);
  expect(usage).toMatchObject([
    { stem: 'early_*', num_attempts: 1, runtime_seconds: { requested: 1200, proposed: 60, finding: 'under_half' } },
    { stem: 'other', num_attempts: 1, runtime_seconds: { requested: null, finding: null } },
    { stem: 'some_*', num_attempts: 1, runtime_seconds: { requested: 1200, proposed: 60, finding: 'under_half' } },
    { stem: 'work_*', num_attempts: 2, runtime_seconds: { requested: 1200, proposed: 60, finding: 'under_half' } },
  ]);
  const { stdout } = await place.torc('reports', 'resources', '1');
  expect(stdout).toMatch(/^work_\* +2 +memory +1G/m);
  expect(stdout).toMatch(/^work_\* +2 +runtime +20m 00s .* 1m 00s +less than half used +/m);
  expect(stdout).toMatch(/torc.* workflows correct-resources 1 --dry-run$/m);
});

it('are lines of CSV, one for each measure', async () => {
  const { stdout } = await place.torc('-F', 'csv', 'reports', 'resources', '1');
  const [heading, ...lines] = stdout.trimEnd().split('\n');
  expect(heading).toBe(
    'stem,num_attempts,num_oom,num_timeouts,measure,requested,requested_min,min,median,p95,max,proposed,finding',
  );
  expect(lines).toHaveLength(12);
  expect(lines[5]).toMatch(/^other,1,0,0,runtime_seconds,,,[\d.]+,[\d.]+,[\d.]+,[\d.]+,60,$/);
  expect(lines[11]).toMatch(/^work_\*,2,0,0,runtime_seconds,1200,1200,.*,60,under_half$/);
});

it('change what is still to run as a dry run says, and nothing else', async () => {
  const correct = ['workflows', 'correct-resources', '1'];
  expect(await place.json<Plan>([...correct, '--only-up', '--dry-run'])).toMatchObject({ jobs: [] });
  const planned = await place.json<Plan>([...correct, '--dry-run']);
  expect(planned.jobs.map(({ job_name }) => job_name).sort()).toEqual(['early_2', 'some_3', 'work_3']);
  const changesOf = (name: string) => planned.jobs.find(({ job_name }) => job_name === name)?.changes;
  expect(changesOf('work_3')).toContainEqual({ field: 'runtime_seconds', old_value: 1200, new_value: 60 });
  // it states no runtime, and its memory is in use nowhere near that
  expect(changesOf('some_3')?.map(({ field }) => field)).toEqual(['memory_bytes', 'resource_requirements']);
  // it is expected to take longer than any has
  expect(changesOf('early_2')).toContainEqual({ field: 'runtime_seconds', old_value: 1200, new_value: 300 });
  expect(await place.json<Plan>(correct)).toEqual({ ...planned, dry_run: false });
  expect((await place.json<Plan>(correct)).jobs).toEqual([]);
  const { jobs } = await place.json<{ jobs: Record<string, unknown>[] }>(['jobs', 'list', '-k', '1']);
  const values = Object.fromEntries(jobs.map(({ name, runtime_seconds }) => [name, runtime_seconds]));
  expect(values).toMatchObject({ work_1: 1200, work_2: 1200, work_3: 60, early_1: 1200, early_2: 300 });
  // the report has what jobs ask for now
  const { usage } = await place.json<{ usage: object[] }>(['reports', 'resources', '1']);
  expect(usage[3]).toMatchObject({ stem: 'work_*', runtime_seconds: { requested: 1200, requested_min: 60 } });
  expect((await place.torc('reports', 'resources', '1')).stdout).toMatch(/^work_\* +2 +runtime +1m 00s\.\.20m 00s /m);
});

it('refuse what makes no sense', async () => {
  const both = await place.torc('workflows', 'correct-resources', '1', '--only-up', '--only-down');
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('cannot be combined')]);
});

interface Usage {
  by: string;
  usage: Record<string, unknown>[];
  total: Record<string, unknown>;
}

it('hours of allocations and of workflows, running ones until now', async () => {
  const report = await place.json<Usage>(['reports', 'usage', '1']);
  expect(report).toMatchObject({
    by: 'allocation',
    usage: [
      { workflow_key: '1', allocation_key: null, num_nodes: 1, num_workers: 1, num_attempts: 5, is_running: false },
    ],
  });
  const [row] = report.usage;
  expect(report.total).toMatchObject({ node_hours: row?.node_hours, idle_share: row?.idle_share });
  expect(row?.node_hours).toBeGreaterThan(0);
  expect(Number(row?.job_cpu_hours)).toBeLessThanOrEqual(Number(row?.cpu_hours));
  const { usage } = await place.json<Usage>(['reports', 'usage', '--by', 'workflow', '-f', 'name=w']);
  expect(usage).toMatchObject([{ workflow_key: '1', name: 'w', num_allocations: 0, node_hours: row?.node_hours }]);
  expect((await place.json<Usage>(['reports', 'usage', '1', '-f', 'is_running=true'])).usage).toEqual([]);
  const text = await place.torc('reports', 'usage', '1');
  expect(text.stdout).toMatch(
    /^where +nodes +node_hours +cpu_hours +in_jobs +used +idle +state\n\S+ +1 +.* % +ended$/m,
  );
  const csv = (await place.torc('-F', 'csv', 'reports', 'usage', '1')).stdout.trimEnd().split('\n');
  expect(csv).toHaveLength(2);
  expect(csv[0]).toMatch(/^workflow_key,allocation_key,slurm_job_id,hostname,num_nodes,.*,idle_share,efficiency,/);
  const chosen = ['reports', 'usage', '1', '--columns', 'num_attempts,hostname'];
  expect((await place.torc(...chosen)).stdout).toMatch(/^num_attempts +hostname\n +5 +\S+\n$/);
  expect((await place.torc('-F', 'csv', ...chosen)).stdout).toMatch(/^num_attempts,hostname\n5,\S+\n$/);
  const wrong = await place.torc('reports', 'usage', '1', '--sort-by', 'node_hour');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean "node_hours"')]);
});

it('do not change jobs that run', async () => {
  const service = await openService(place.dir, systemClock, 'test');
  const names = ['run_1', 'run_2', 'run_3', 'run_4'];
  const jobs = names.map((name) => ({ name, memory: 1024 ** 3, runtime: 1200 }));
  const key = await createWorkflow(service, jobs, [], { name: 'running' });
  try {
    const worker = await TestWorker.join(service, key, { cpus: 3, memory: 1024 ** 4 });
    const { jobs: given } = await worker.exchange();
    expect(given.map(({ job_name }) => job_name)).toEqual(['run_1', 'run_2', 'run_3']);
    const [ended, running] = given;
    worker.held = given.slice(1).map(({ attempt }) => attempt);
    const start = { attempt: running?.attempt ?? 0, pid: 1, age_ms: 0 };
    const end = { ...finished(ended?.attempt ?? 0, 0), exec_ms: 1000, peak_memory_bytes: 1024 ** 2 };
    // the slot that is free again stays so
    await worker.exchange({ started: [start], finished: [end], draining: true });
  } finally {
    await service.close();
  }
  const requests = async () => {
    const { jobs: rows } = await place.json<{ jobs: Record<string, unknown>[] }>(['jobs', 'list', '-k', key]);
    return Object.fromEntries(rows.map(({ name, status, runtime_seconds }) => [name, [status, runtime_seconds]]));
  };
  expect(await requests()).toMatchObject({ run_2: ['submitted', 1200], run_3: ['submitted_pending', 1200] });
  const planned = await place.json<Plan>(['workflows', 'correct-resources', key, '--dry-run']);
  expect(planned.jobs.map(({ job_name }) => job_name)).toEqual(['run_4']);
  expect(await place.json<Plan>(['workflows', 'correct-resources', key])).toEqual({ ...planned, dry_run: false });
  expect(await requests()).toEqual({
    run_1: ['done', 1200],
    run_2: ['submitted', 1200],
    run_3: ['submitted_pending', 1200],
    run_4: ['ready', 60],
  });
});
