// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in texts are written like that
/** Resource requirements that come from result values and user data: set when a job would become ready. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import type { Json } from '../../src/base/exact-json.ts';
import { compareWorkflow } from '../../src/cli/documents/compare-workflow.ts';
import { exportLines } from '../../src/cli/documents/export-document.ts';
import { createWorkflow } from '../../src/cli/documents/send-workflow.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { finished, freshService, rows, statuses, TestWorker } from '../support/service.ts';
import { loadWorkflow } from '../support/specification.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

const spec = {
  name: 'sized',
  user_data: [{ name: 'sizes' }],
  resource_requirements: [
    { name: 'from a', num_cpus: '${result.a.cpus}', memory: '${result.a.mem}g', runtime: 'PT${inputs.0.minutes}M' },
    { name: 'from data', num_cpus: 1, num_gpus: '${user_data.input.sizes.gpus}' },
  ],
  jobs: [
    { name: 'a', command: 'true' },
    { name: 'b', command: 'true', depends_on: ['a'], resource_requirements: 'from a' },
    { name: 'c', command: 'true', input_user_data: ['sizes'], resource_requirements: 'from data' },
  ],
};

async function create(document: object): Promise<string> {
  const { workflow } = loadWorkflow(JSON.stringify(document), { file: 'w.json' });
  return (await createWorkflow(fresh.service, workflow)).workflow_key;
}

async function started(document: object = spec): Promise<string> {
  const workflow_key = await create(document);
  await fresh.service.call('workflow_start', { workflow_key, dry_run: false, ignore_missing_data: true });
  return workflow_key;
}

/** Runs the job `a`, which leaves this. */
async function runA(key: string, result: Json): Promise<void> {
  const worker = await TestWorker.join(fresh.service, key, { cpus: 1 });
  const [a] = (await worker.exchange()).jobs;
  expect(a?.job_name).toBe('a');
  await worker.exchange({ finished: [{ ...finished(a?.attempt ?? 0), result }], draining: true, held: [] });
}

async function jobOf(key: string, name: string): Promise<Record<string, unknown>> {
  return (await rows(fresh.service, 'jobs', key, { name }))[0] ?? {};
}

async function whyOf(key: string, name: string): Promise<string | null> {
  const { job_key } = await jobOf(key, name);
  return (await fresh.service.call('job_show', { job_key: String(job_key) })).why;
}

const restart = (key: string, more: Partial<Request<'workflow_restart'>> = {}) =>
  fresh.service.call('workflow_restart', {
    ...{ workflow_key: key, dry_run: false, expected_state: null, skip: 0, ignore_missing_data: true },
    ...{ only_uninitialized: false, keep_running: false, force: false, assume_stopped: false, working_directory: '/' },
    ...more,
  });

describe('resource requirements from data', () => {
  it('are set when the job would become ready; the list says where they come from', async () => {
    const key = await started();
    expect(await rows(fresh.service, 'resource_requirements', key)).toMatchObject([
      { name: 'from a', num_cpus: 1, from_data: { num_cpus: '${result.a.cpus}', memory: '${result.a.mem}g' } },
      { name: 'from data', from_data: { num_gpus: '${user_data.input.sizes.gpus}' } },
    ]);
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'blocked', num_cpus: 1, memory_bytes: 1024 ** 2 });
    await runA(key, { cpus: 2, mem: 4, minutes: 90 });
    const b = { num_cpus: 2, memory_bytes: 4 * 1024 ** 3, runtime_seconds: 5400 };
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'ready', ...b });
    // whoever sizes allocations by what waits sees 4 GiB
    const { demand } = await fresh.service.call('demand', { workflow_key: key });
    expect(demand.filter(({ status }) => status === 'ready')).toMatchObject([
      { num_jobs: 1, memory_bytes: 4 * 1024 ** 3 },
    ]);
    const worker = await TestWorker.join(fresh.service, key, { cpus: 8, memory: 8 * 1024 ** 3 });
    expect((await worker.exchange()).jobs).toMatchObject([
      { job_name: 'b', num_cpus: 2, memory_limit_bytes: 4 * 1024 ** 3, runtime_limit_ms: 5_400_000 },
    ]);
  });

  it('stay what the data says when a resume takes over something else of the job', async () => {
    const key = await started();
    await runA(key, { cpus: 2, mem: 4, minutes: 90 });
    const document = { ...spec, jobs: spec.jobs.map((job) => ({ ...job, priority: 7 })) };
    const resume = async () => {
      const { workflow } = loadWorkflow(JSON.stringify(document), { file: 'w.json' });
      const { takeOver } = await compareWorkflow(fresh.service, key, workflow);
      return await restart(key, { keep_running: true, resume: { take_over: takeOver } });
    };
    expect(await resume()).toMatchObject({ taken_over: { num_jobs: 3 } });
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'ready', priority: 7, num_cpus: 2 });
    const worker = await TestWorker.join(fresh.service, key, { cpus: 8, memory: 8 * 1024 ** 3 });
    const claimed = (await worker.exchange()).jobs;
    expect(claimed).toMatchObject([{ job_name: 'b', num_cpus: 2 }]);
    document.jobs.forEach((job) => {
      job.priority = 8;
    });
    expect(await resume()).toMatchObject({ taken_over: { num_jobs: 3 } });
    expect(await jobOf(key, 'b')).toMatchObject({ priority: 8, num_cpus: 2 });
    // the answer was lost: the worker asks again
    worker.ack = 0;
    expect((await worker.exchange()).jobs).toMatchObject([{ job_name: 'b', num_cpus: 2 }]);
  });

  it('are read again when a resume takes over other requirements of the same name', async () => {
    const key = await started();
    await runA(key, { cpus: 2, mem: 4, minutes: 90, threads: 5 });
    const resume = async (changes: object) => {
      const [fromA, fromData] = spec.resource_requirements;
      const document = { ...spec, resource_requirements: [{ ...fromA, ...changes }, fromData] };
      const { workflow } = loadWorkflow(JSON.stringify(document), { file: 'w.json' });
      const { takeOver } = await compareWorkflow(fresh.service, key, workflow);
      await restart(key, { keep_running: true, resume: { take_over: takeOver } });
    };
    await resume({ num_cpus: '${result.a.threads}' });
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'ready', num_cpus: 5, memory_bytes: 4 * 1024 ** 3 });
    await resume({ memory: '${result.a.room}g' });
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'blocked', num_blockers: 1 });
    await resume({ memory: '3g' });
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'ready', num_cpus: 2, memory_bytes: 3 * 1024 ** 3 });
  });

  it('that are missing hold the job back, which says so, until the data is there', async () => {
    const key = await started();
    expect(await statuses(fresh.service, key)).toMatchObject({ a: 'ready', c: 'blocked' });
    const missing = '${user_data.input.sizes.gpus} has no value: there is no such data yet';
    expect(await whyOf(key, 'c')).toBe(`Its resource requirements are not known: num_gpus: ${missing}.`);
    const [sizes] = await rows(fresh.service, 'user_data', key);
    const modify = (data: Json) =>
      fresh.service.call('user_data_modify', { user_data_key: String(sizes?.user_data_key), changes: { data } });
    await modify({ gpus: 1.5 });
    expect(await whyOf(key, 'c')).toContain('is "1.5": expected a share of one GPU (0.001 to 0.999) or whole GPUs.');
    await modify({ gpus: 2 });
    expect(await jobOf(key, 'c')).toMatchObject({ status: 'ready', num_gpus: 2, num_blockers: 0 });
    const events = await rows(fresh.service, 'events', key, { type: 'requirements_unknown' });
    expect(events.map(({ data }) => data)).toMatchObject([{ problem: `num_gpus: ${missing}` }, {}]);
  });

  it.each([
    [{ cpus: 0, mem: 1, minutes: 1 }, 'num_cpus: "${result.a.cpus}" is "0": expected a whole number from 1'],
    [{ cpus: 1, mem: 'x', minutes: 1 }, 'memory: "${result.a.mem}g" is "xg": '],
    [{ cpus: 1, mem: 0, minutes: 1 }, 'memory: "${result.a.mem}g" is "0g": expected more than 0'],
    [{ cpus: 1, mem: 1, minutes: -1 }, 'runtime: "PT${inputs.0.minutes}M" is "PT-1M": '],
    [{ cpus: 1, mem: 1 }, 'runtime: ${inputs.0.minutes} has no value: the result value of input 0 has no "minutes"'],
    [null, 'num_cpus: ${result.a.cpus} has no value: the job that it names has left no result value'],
  ])('that make no sense hold the job back: %j', async (result, problem) => {
    const key = await started();
    await runA(key, result);
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'blocked', num_blockers: 1 });
    expect(await whyOf(key, 'b')).toContain(`Its resource requirements are not known: ${problem}`);
  });

  it('can be replaced by a person, or set anew by a restart of the upstream job', async () => {
    const key = await started();
    await runA(key, null);
    const { job_key } = await jobOf(key, 'b');
    const changes = { memory_bytes: 1024 ** 3 };
    await fresh.service.call('job_modify', { job_key: String(job_key), dry_run: false, changes });
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'ready', memory_bytes: 1024 ** 3, num_blockers: 0 });

    const same = await started();
    await runA(same, null);
    const { job_key: b } = await jobOf(same, 'b');
    // what has stood there in place of the data
    await fresh.service.call('jobs_modify', { job_keys: [String(b)], dry_run: false, changes: { num_cpus: 1 } });
    expect(await jobOf(same, 'b')).toMatchObject({ status: 'ready', num_cpus: 1, num_blockers: 0 });

    const other = await started();
    await runA(other, null);
    const { job_key: a } = await jobOf(other, 'a');
    const reset = { workflow_key: other, dry_run: false, expected_state: null, skip: 0 };
    await fresh.service.call('jobs_reset', { ...reset, which: [String(a)] });
    await restart(other);
    expect(await jobOf(other, 'b')).toMatchObject({ status: 'blocked', num_blockers: 1 });
    await runA(other, { cpus: 3, mem: 1, minutes: 1 });
    expect(await jobOf(other, 'b')).toMatchObject({ status: 'ready', num_cpus: 3 });
  });

  it('of a restart hold a job back that was ready for another value', async () => {
    const key = await started();
    await runA(key, { cpus: 3, mem: 1, minutes: 1 });
    const { job_key: a } = await jobOf(key, 'a');
    const reset = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
    await fresh.service.call('jobs_reset', { ...reset, which: [String(a)] });
    await restart(key);
    await runA(key, 7);
    expect(await jobOf(key, 'b')).toMatchObject({ status: 'blocked', num_blockers: 1 });
    // c has no data
    await restart(key);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'blocked', c: 'blocked' });
  });

  it('are in an export and a copy, and cannot be changed for all jobs together', async () => {
    const key = await create(spec);
    const shown = await fresh.service.call('workflow_show', { workflow_key: key });
    let text = '';
    for await (const piece of exportLines(fresh.service, shown, { results: false, events: false })) text += piece;
    expect(JSON.parse(text)).toMatchObject({ workflow: { resource_requirements: spec.resource_requirements } });
    const copied = await fresh.service.call('workflow_copy', {
      workflow_key: key,
      how: 'clone',
      dry_run: false,
      name: null,
    });
    const copy = String((copied as { workflow_key: string | null }).workflow_key);
    await fresh.service.call('workflow_start', { workflow_key: copy, dry_run: false, ignore_missing_data: true });
    await runA(copy, { cpus: 2, mem: 1, minutes: 1 });
    expect(await jobOf(copy, 'b')).toMatchObject({ status: 'ready', num_cpus: 2 });
    const [requirements] = await rows(fresh.service, 'resource_requirements', key);
    const request = { resource_requirements_key: String(requirements?.resource_requirements_key), dry_run: false };
    const modified = fresh.service.call('resource_requirements_modify', { ...request, changes: { num_cpus: 2 } });
    await expect(modified).rejects.toMatchObject({ code: 'conflict' });
  });

  it('name only what the job waits for or reads', () => {
    const bad = { ...spec, jobs: spec.jobs.map(({ depends_on, input_user_data, ...job }) => job) };
    expect(() => loadWorkflow(JSON.stringify(bad), { file: 'w.json' })).toThrow(
      /job "b": found "\$\{result.a.cpus\}", but the job waits for no other job(.|\n)*job "c": found "\$\{user_data.input.sizes.gpus\}", but the job reads no user data of this name/,
    );
  });
});
