/** Requests of new jobs from what earlier ones have used. */
import { describe, expect, it } from 'vitest';
import { autoSized, type EarlierUse } from '../../src/model/decide/auto-size.ts';
import { expandSpec } from '../../src/model/expand/expand.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import type { WorkflowSpec } from '../../src/model/spec/spec.ts';

const gibibyte = 1024 ** 3;
const minute = 60_000;
const where = () => [];
const expand = (spec: Partial<WorkflowSpec>): ExpandedWorkflow =>
  expandSpec({ name: 'w', jobs: [], ...spec } as WorkflowSpec, { file: 'w.yaml', where });

const names = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}_${i}`);
const jobsOf = (prefix: string, n: number, resource_requirements?: string, scheduler?: string) =>
  names(prefix, n).map((name) => ({
    name,
    command: 'true',
    ...(resource_requirements === undefined ? {} : { resource_requirements }),
    ...(scheduler === undefined ? {} : { scheduler }),
  }));

const measured = (value: number, n = 10) => ({ n, p95: value, max: value, proposed: value * 1.25 });
const use = (memory: number | null, runtime: number, n = 10): EarlierUse => ({
  memory: memory === null ? null : measured(memory, n),
  runtime: measured(runtime, n),
});
const noRoom = () => ({ memoryBytes: null, runtimeMs: null });

function sizedBy(workflow: ExpandedWorkflow, earlier: Record<string, EarlierUse>, room = noRoom as never) {
  return autoSized(workflow, { workflowKeys: ['3'], use: new Map(Object.entries(earlier)) }, room);
}

/** What each job asks for. */
function needs(workflow: ExpandedWorkflow) {
  return Object.fromEntries(
    [...workflow.jobs].map((job) => {
      const need = job.requirements === null ? null : workflow.requirements[job.requirements];
      return [job.name, need ?? null];
    }),
  );
}

const large = { name: 'large', num_cpus: 2, memory: '8g', runtime: 'PT1H' };

describe('auto-size', () => {
  it('replaces what jobs ask for, up and down, by the forms of their names', () => {
    const workflow = expand({
      resource_requirements: [large],
      jobs: [...jobsOf('small', 3, 'large'), ...jobsOf('huge', 2, 'large'), ...jobsOf('new', 1, 'large')],
    });
    const sized = sizedBy(workflow, {
      'small_*': use(gibibyte, 10 * minute),
      'huge_*': use(10 * gibibyte, 100 * minute),
    });
    expect(needs(sized)).toMatchObject({
      small_0: { name: 'large small_*', numCpus: 2, memoryBytes: 1.25 * gibibyte, runtimeMs: 12.5 * minute },
      small_2: { name: 'large small_*', isMemoryStated: true, isRuntimeStated: true },
      huge_1: { name: 'large huge_*', memoryBytes: 12.5 * gibibyte, runtimeMs: 125 * minute },
      new_0: { name: 'large', memoryBytes: 8 * gibibyte, runtimeMs: 60 * minute },
    });
    expect(sized.autoSize).toMatchObject({
      workflow_keys: ['3'],
      num_unlisted: 0,
      sizes: [
        {
          stem: 'small_*',
          resource_requirements: 'large',
          num_jobs: 3,
          num_attempts: 10,
          memory_bytes: { requested: 8 * gibibyte, p95: gibibyte, new_request: 1.25 * gibibyte, note: null },
          runtime_seconds: { requested: 3600, p95: 600, new_request: 750, note: null },
        },
        { stem: 'huge_*', num_jobs: 2, memory_bytes: { new_request: 12.5 * gibibyte } },
        {
          stem: 'new_*',
          num_attempts: 0,
          memory_bytes: { p95: null, new_request: 8 * gibibyte, note: 'not_measured' },
          runtime_seconds: { new_request: 3600, note: 'not_measured' },
        },
      ],
    });
    // the workflow as written is unchanged
    expect(needs(workflow)).toMatchObject({ small_0: { name: 'large', memoryBytes: 8 * gibibyte } });
  });

  it('keeps the name of requirements that only jobs of one form have', () => {
    const workflow = expand({ resource_requirements: [large], jobs: [...jobsOf('a', 2, 'large'), ...jobsOf('b', 1)] });
    const sized = sizedBy(workflow, { 'a_*': use(gibibyte, minute) });
    expect(sized.requirements).toHaveLength(1);
    expect(needs(sized)).toMatchObject({ a_0: { name: 'large', memoryBytes: 1.25 * gibibyte }, b_0: null });
  });

  it('gives jobs that state nothing room, and no limit', () => {
    const workflow = expand({ jobs: jobsOf('a', 2) });
    const sized = sizedBy(workflow, { 'a_*': use(gibibyte, 10 * minute) });
    expect(needs(sized).a_1).toMatchObject({
      name: 'a_*',
      memoryBytes: 1.25 * gibibyte,
      isMemoryStated: false,
      isRuntimeStated: false,
      expectedMs: 12.5 * minute,
    });
    expect(sized.autoSize.sizes[0]).toMatchObject({
      resource_requirements: null,
      memory_bytes: { requested: null, new_request: 1.25 * gibibyte },
      runtime_seconds: { requested: null, new_request: 750 },
    });
  });

  it('needs three attempts, and memory only counts where it was measured', () => {
    const workflow = expand({
      resource_requirements: [large],
      jobs: [...jobsOf('a', 1, 'large'), ...jobsOf('b', 1, 'large')],
    });
    const { sizes } = sizedBy(workflow, { 'a_*': use(gibibyte, minute, 2), 'b_*': use(null, 5 * minute, 3) }).autoSize;
    expect(sizes).toMatchObject([
      {
        memory_bytes: { new_request: 8 * gibibyte, proposed: 1.25 * gibibyte, note: 'few_attempts' },
        runtime_seconds: { new_request: 3600, note: 'few_attempts' },
      },
      {
        memory_bytes: { new_request: 8 * gibibyte, note: 'not_measured' },
        runtime_seconds: { new_request: 375, note: null },
      },
    ]);
  });

  it('is never above what the Slurm config of a job gives', () => {
    const config = (name: string) => ({ name, account: 'a' });
    const workflow = expand({
      resource_requirements: [large],
      slurm_schedulers: [config('short'), config('long')],
      jobs: [...jobsOf('a', 1, 'large', 'short'), ...jobsOf('a_x', 1, 'large', 'long')],
    });
    const rooms = [
      { memoryBytes: 10 * gibibyte, runtimeMs: 90 * minute },
      { memoryBytes: null, runtimeMs: 1000 * minute },
    ];
    const earlier = { 'a_*': use(9 * gibibyte, 80 * minute), 'a_x_*': use(9 * gibibyte, 80 * minute) };
    const sized = sizedBy(workflow, earlier, ((at: number) => rooms[at]) as never);
    expect(needs(sized)).toMatchObject({
      a_0: { memoryBytes: 10 * gibibyte, runtimeMs: 90 * minute },
      a_x_0: { memoryBytes: 11.25 * gibibyte, runtimeMs: 100 * minute },
    });
    expect(
      sized.autoSize.sizes.map(({ memory_bytes, runtime_seconds }) => [memory_bytes.note, runtime_seconds.note]),
    ).toEqual([
      ['scheduler', 'scheduler'],
      [null, null],
    ]);
  });

  it('leaves what comes from data, and does not stop jobs before they are expected to end', () => {
    const workflow = expand({
      resource_requirements: [
        { name: 'data', memory: `\${user_data.input.m}`, runtime: 'PT1H' },
        { name: 'expected', memory: '8g', runtime: 'PT1H', expected_runtime: 'PT30M' },
        { name: 'soon', memory: '8g', runtime: 'PT1H', expected_runtime: 'PT5M' },
      ] as never,
      user_data: [{ name: 'm' }] as never,
      jobs: [
        { name: 'd_1', command: 'true', resource_requirements: 'data', input_user_data: ['m'] },
        ...jobsOf('e', 1, 'expected'),
        ...jobsOf('s', 1, 'soon'),
      ] as never,
    });
    const earlier = use(gibibyte, 10 * minute);
    const sized = sizedBy(workflow, { 'd_*': earlier, 'e_*': earlier, 's_*': earlier });
    expect(needs(sized)).toMatchObject({
      d_1: { fromData: { memory: `\${user_data.input.m}` }, isMemoryStated: false, runtimeMs: 12.5 * minute },
      e_0: { runtimeMs: 30 * minute },
      s_0: { runtimeMs: 12.5 * minute, expectedMs: 5 * minute },
    });
    expect(needs(sized).e_0).not.toHaveProperty('expectedMs');
    expect(sized.autoSize.sizes).toMatchObject([
      { memory_bytes: { note: 'from_data' }, runtime_seconds: { note: null } },
      { runtime_seconds: { note: 'expected_runtime' } },
      { runtime_seconds: { note: null } },
    ]);
  });

  it('lists a thousand forms of names, and counts the jobs of others that were not measured', () => {
    const letters = (i: number): string =>
      [i % 26, Math.floor(i / 26) % 26, Math.floor(i / 676)].map((n) => String.fromCharCode(97 + n)).join('');
    const jobs = Array.from({ length: 1500 }, (_, i) => ({ name: letters(i), command: 'true' }));
    const workflow = expand({ jobs: [...jobs, { name: 'known_1', command: 'true' }] });
    const sized = sizedBy(workflow, { 'known_*': use(gibibyte, minute) });
    expect(sized.autoSize).toMatchObject({ num_unlisted: 500 });
    expect(sized.autoSize.sizes).toHaveLength(1001);
    expect(needs(sized).known_1).toMatchObject({ memoryBytes: 1.25 * gibibyte });
  });
});
