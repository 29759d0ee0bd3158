/** New workflows that ask for what earlier ones have used. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { createWorkflow, finished, TestWorker } from '../support/service.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

interface Field {
  requested: number | null;
  max: number | null;
  new_request: number | null;
  note: string | null;
}
interface Size {
  stem: string;
  memory_bytes: Field;
  runtime_seconds: Field;
}
interface Sized {
  workflow_key: string;
  auto_size: { workflow_keys: string[]; sizes: Size[] };
}

const mebibyte = 1024 ** 2;

let place: Place;
let slurm: FakeSlurm;
eachTestWithSlurm({ run: false, cpusPerNode: 8 }, (made) => {
  ({ place, slurm } = made);
});

const jobs = [
  ...[1, 2, 3].map((n) => ({ name: `work_${n}`, command: 'sleep 0.05', resource_requirements: 'large' })),
  { name: 'once', command: 'true', resource_requirements: 'large' },
  ...[1, 2, 3].map((n) => ({ name: `free_${n}`, command: 'sleep 0.05' })),
];
const large = { name: 'large', num_cpus: 1, memory: '2g', runtime: 'PT2H' };
const spec = (more: object = {}) => JSON.stringify({ name: 'w', resource_requirements: [large], jobs, ...more });

/** A workflow with a few megabytes and seconds measured for each job. */
async function measured(
  name = 'w',
  names = jobs.map((job) => job.name),
  peak_memory_bytes = 5 * mebibyte,
): Promise<void> {
  const service = await openService(place.dir, systemClock, 'test');
  try {
    const key = await createWorkflow(
      service,
      names.map((job) => ({ name: job })),
      [],
      { name },
    );
    const worker = await TestWorker.join(service, key, { cpus: 100, memory: 1024 ** 3 });
    const { jobs: given } = await worker.exchange();
    worker.held = [];
    const ends = { exec_ms: 2000, peak_memory_bytes };
    await worker.exchange({ finished: given.map(({ attempt }) => ({ ...finished(attempt, 0), ...ends })) });
  } finally {
    await service.close();
  }
}

it('create shows each request, what was measured and the new request, and stores where it comes from', async () => {
  const file = place.file('w.json', spec());
  const nothing = await place.torc('create', file, '--auto-size', '--dry-run');
  expect(nothing.stderr).toContain('you have no earlier workflow w with measured jobs; requests stay as they are');
  expect(existsSync(join(place.dir, 'torc.db'))).toBe(false);
  await measured();
  const planned = await place.json<Sized>(['create', file, '--auto-size', '--dry-run']);
  expect(planned.auto_size).toMatchObject({
    workflow_keys: ['1'],
    sizes: [
      {
        stem: 'work_*',
        num_jobs: 3,
        num_attempts: 3,
        memory_bytes: { requested: 2048 * mebibyte, new_request: 64 * mebibyte, note: null },
        runtime_seconds: { requested: 7200, new_request: 60, note: null },
      },
      { stem: 'once', runtime_seconds: { requested: 7200, new_request: 7200, note: 'few_attempts' } },
      { stem: 'free_*', runtime_seconds: { requested: null, new_request: 60, note: null } },
    ],
  });
  expect(planned.auto_size.sizes[0]?.memory_bytes.max).toBe(5 * mebibyte);
  const made = await place.json<Sized>(['create', file, '--auto-size']);
  expect(made.auto_size).toEqual(planned.auto_size);
  const list = ['jobs', 'list', '-k', made.workflow_key, '--columns', 'name,memory_bytes,runtime_seconds'];
  const { stdout } = await place.torc('-F', 'csv', ...list);
  const lines = stdout.trimEnd().split('\n').sort();
  expect(lines).toContain(`work_2,${64 * mebibyte},60`);
  expect(lines).toContain(`once,${2048 * mebibyte},7200`);
  const events = ['events', 'list', '-k', made.workflow_key, '-f', 'type=jobs_auto_sized'];
  const { events: told } = await place.json<{ events: { data: Size & { workflow_keys: string[] } }[] }>(events);
  expect(told.map(({ data }) => [data.stem, data.workflow_keys, data.runtime_seconds.new_request])).toEqual([
    ['work_*', ['1'], 60],
    ['free_*', ['1'], 60],
  ]);
  // a table of 80 columns
  const text = await place.torc('create', file, '--auto-size');
  expect(text.stderr).toMatch(/^work_\* +3 +memory +2G +\S+ +\S+ +64M +-$/m);
  expect(text.stderr).toMatch(/^once +1 +runtime +2h 00m .* 2h 00m +fewer than 3 attempts$/m);
  expect(Math.max(...text.stderr.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

it('a workflow may be named, which must have measured something', async () => {
  await measured();
  const file = place.file('other.json', spec({ name: 'other' }));
  const { workflow_key, auto_size } = await place.json<Sized>(['create', file, '--auto-size-from', 'w']);
  expect(auto_size).toMatchObject({ workflow_keys: ['1'], sizes: [{ runtime_seconds: { new_request: 60 } }, {}, {}] });
  const refused = await place.torc('create', file, '--auto-size-from', workflow_key);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(`no job of workflow ${workflow_key}`)]);
  expect((await place.torc('create', file, '--auto-size-from', '77')).code).toBe(3);
  expect((await place.torc('create', file, '--auto-size-from', '1-2')).code).toBe(2);
  const { workflows } = await place.json<{ workflows: object[] }>(['workflows', 'list']);
  expect(workflows).toHaveLength(2);
});

it('jobs that state nothing stay without limits, also in an export', async () => {
  await measured();
  const { workflow_key } = await place.json<Sized>(['create', place.file('w.json', spec()), '--auto-size']);
  const { stdout } = await place.torc('workflows', 'export', workflow_key);
  const { workflow: exported } = JSON.parse(stdout) as {
    workflow: { execution_config?: object; resource_requirements: object[] };
  };
  expect(exported.execution_config).toBeUndefined();
  expect(exported.resource_requirements).toEqual([
    { name: 'large', num_cpus: 1, memory: '2048m', runtime: 'PT7200S' },
    { name: 'large work_*', num_cpus: 1, memory: '64m', runtime: 'PT60S' },
    { name: 'free_*', num_cpus: 1, expected_runtime: 'PT60S' },
  ]);
});

it('submit asks for no more than its allocations have', async () => {
  await measured();
  const file = place.file(
    's.json',
    spec({
      slurm_schedulers: [{ name: 's', account: 'a', walltime: '00:00:30', mem: '32M' }],
      jobs: jobs.slice(0, 3).map((job) => ({ ...job, scheduler: 's' })),
    }),
  );
  const submit = ['submit', file, '--auto-size', '-n', '1'];
  const planned = await place.json<Sized>([...submit, '--dry-run']);
  expect(planned.auto_size.sizes[0]).toMatchObject({
    memory_bytes: { proposed: 64 * mebibyte, new_request: 32 * mebibyte, note: 'scheduler' },
    runtime_seconds: { proposed: 60, new_request: 30, note: 'scheduler' },
  });
  const longer = await place.json<Sized>([...submit, '-t', '00:10:00', '--dry-run']);
  expect(longer.auto_size.sizes[0]?.runtime_seconds).toMatchObject({ new_request: 60, note: null });
  expect(slurm.calls().filter((call) => JSON.stringify(call).includes('sbatch'))).toEqual([]);
  const submitted = await place.json<Sized>(submit);
  expect(submitted.auto_size).toEqual(planned.auto_size);
});

it('nor than the nodes of its partition have, as Slurm has described them', async () => {
  await measured('w', ['work_1', 'work_2', 'work_3'], 3 * 1024 * mebibyte);
  const file = place.file('s.json', spec({ slurm_schedulers: [{ name: 's', account: 'a', partition: 'gpu' }] }));
  const sizeOf = async () => (await place.json<Sized>(['create', file, '--auto-size', '--dry-run'])).auto_size.sizes[0];
  const unknown = (await sizeOf())?.memory_bytes;
  expect(unknown).toMatchObject({ note: null });
  expect(unknown?.new_request).toBeGreaterThan(3 * 1024 * mebibyte);
  const { partitions } = await place.json<{ partitions: { nodes: { memory_bytes: number }[] }[] }>([
    'hpc',
    'slurm',
    'site',
    'refresh',
  ]);
  expect((await sizeOf())?.memory_bytes).toMatchObject({
    new_request: partitions[1]?.nodes[0]?.memory_bytes,
    note: 'scheduler',
  });
});

it('planned allocations are those of the new requests', async () => {
  await measured();
  const half = { ...large, memory: '1g' };
  const file = place.file('w.json', spec({ resource_requirements: [half], jobs: jobs.slice(0, 3) }));
  const planned = async (...options: string[]) =>
    (await place.torc('submit', file, '--yes', '--dry-run', ...options)).stderr;
  expect(await planned()).toMatch(/^main .* 02:\d\d:00 /m);
  expect(await planned('--auto-size')).toMatch(/^main .* 00:\d\d:00 /m);
});

it('run and exec take it too', async () => {
  await measured();
  const file = place.file('w.json', spec());
  expect(await place.json(['run', file, '--auto-size'])).toMatchObject({ workflow_key: '2', num_failed: 0 });
  const { events } = await place.json<{ events: object[] }>([
    'events',
    'list',
    '-k',
    '2',
    '-f',
    'type=jobs_auto_sized',
  ]);
  expect(events).toHaveLength(2);
  await measured('e', ['job_1', 'job_2', 'job_3']);
  const exec = ['exec', '--local', '--name', 'e', '--memory', '2g', '--array', '1-3'];
  expect((await place.json<Sized>([...exec, '--auto-size', '--dry-run', '-c', 'true'])).auto_size.sizes).toMatchObject([
    { num_jobs: 3, memory_bytes: { requested: 2048 * mebibyte, new_request: 64 * mebibyte } },
  ]);
});

it('of several workflows with a name, the newest that has measured something counts', async () => {
  await measured();
  await place.json(['create', place.file('again.json', spec({ name: 'w' }))]);
  const file = place.file('other.json', spec({ name: 'other' }));
  const made = await place.torc('-F', 'json', 'create', file, '--auto-size-from', 'w');
  expect(JSON.parse(made.stdout)).toMatchObject({ auto_size: { workflow_keys: ['1'] } });
  expect(made.stderr).toContain('using workflow 1 (w), the newest of 2 with measured jobs');
  await place.json(['create', file]);
  const refused = await place.torc('create', file, '--auto-size-from', 'other');
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('no job of workflow other has been')]);
});

it.each([
  ['schedules', ['--every', 'PT1H'], '; then torc schedules modify NAME --spec SPEC'],
  ['generators', ['--items', '2'], 'an earlier workflow used'],
])('%s keep their specification: they refuse it, and say why and what helps', async (group, words, then) => {
  for (const option of ['--auto-size', '--auto-size-from']) {
    const refused = await place.torc(group, 'add', 'n', 'w.json', ...words, option, '3');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain(
      `error: ${option} is not for ${group}: a ${group.slice(0, -1)} keeps its specification`,
    );
    expect(refused.stderr).toContain('torc reports resources KEY proposes what to write');
    expect(refused.stderr).toContain(then);
  }
});
