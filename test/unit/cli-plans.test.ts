import { describe, expect, it } from 'vitest';
import type { Api, Plan, PlannedChange } from '../../src/api/contract.ts';
import { TorcError } from '../../src/base/errors.ts';
import { planAndApply } from '../../src/cli/plans/apply.ts';
import { changesText, diagnosisText, keptText, lostJobsText, memoryOption } from '../../src/cli/plans/output.ts';
import type { Diagnosis } from '../../src/model/decide/diagnosis-fields.ts';
import { fakeContext, fakeTerminal } from './cli-fakes.ts';

const context = fakeContext(fakeTerminal(), { dir: "/it's here" });
const typed = "torc --dir '/it'\\''s here'";

const oom: Diagnosis = {
  cause: 'oom',
  explanation: 'Slurm ended the allocation: OUT_OF_MEMORY.\x1b[31m',
  process: 'gone',
  slurm_job_id: '77',
  slurm_state: 'OUT_OF_MEMORY',
  slurm_reason: null,
  hostname: 'c1',
  compute_node_key: '3',
  last_heartbeat: '2026-01-02T03:04:05.678Z',
  peak_memory_bytes: 3 * 1024 ** 3,
  requested_memory_bytes: 1024 ** 3,
  node_memory_bytes: null,
  role: 'culprit',
  culprit_job_key: null,
  culprit_job_name: null,
  suggested_memory_bytes: 4.5 * 1024 ** 3,
  unknown: ['Accounting does not answer.'],
};

function change(at: number, diagnosis: Diagnosis | null = null): PlannedChange {
  const fields = { old_status: 'submitted', new_status: 'ready', reason: 'lost: oom', diagnosis } as const;
  return { job_key: String(at), job_name: `j ${at}`, ...fields };
}

describe('plans as text', () => {
  it('say why a job was lost and which command helps', () => {
    expect(lostJobsText(context, [change(1), change(2, oom)])).toBe(`
lost jobs:
  job 2 (j 2): its process is gone, cause oom
    Slurm ended the allocation: OUT_OF_MEMORY.\\x1b[31m
    Slurm job: 77, OUT_OF_MEMORY
    node: c1, last heard from at 2026-01-02T03:04:05Z
    memory: 3G at peak, 1G requested
    culprit: this job exceeded its request the most
    suggestion: ${typed} jobs modify 2 --memory 4608m
    unknown: Accounting does not answer.
`);
    const unstated = { ...oom, requested_memory_bytes: null };
    expect(diagnosisText(context, { job_key: '2', job_name: 'x' }, unstated)).toContain(
      'memory: 3G at peak, no request stated\n    culprit: this job used the most memory\n',
    );
    const victim = { ...oom, role: 'victim', culprit_job_key: '9', culprit_job_name: 'big' } as const;
    expect(diagnosisText(context, { job_key: '2', job_name: 'x' }, victim)).toContain(
      'culprit: job 9 (big) on the same node\n',
    );
    expect(lostJobsText(context, [change(1)])).toBe('');
  });

  it('count what a reply left out', () => {
    expect(changesText(context, { changes: [change(1)], num_changes: 3 })).toMatch(/\n1 .*\n\.\. and 2 more\n$/);
    expect(changesText(context, { changes: [], num_changes: 0 })).toBe('');
  });

  it('name commands that use the same server directory', () => {
    const kept = {
      job_key: '4',
      job_name: 'x: torc y',
      status: 'canceled',
      reason: 'x: torc y: torc jobs reset-status 2',
    } as const;
    const text = keptText(context, '7', [kept], 1);
    expect(text).toContain(`x: torc y: ${typed} jobs reset-status 2\n`);
    expect(text).toContain(`${typed} workflows reset-status 7 --failed-only --restart\n`);
    expect(keptText(context, '7', [], 0)).toBe('');
  });

  it.each([
    [1024 ** 3 * 3, '3g'],
    [1024 ** 3 * 3 + 1, '3073m'],
    [1, '1m'],
  ])('%i bytes are asked for with --memory %s', (bytes, option) => {
    expect(memoryOption(bytes)).toBe(option);
  });
});

interface Asked {
  dry_run: boolean;
  expected_state: string | null;
  skip: number;
}

/** A server whose plan has five changes, two in each reply; its state changes before the requests in `movesOn`. */
function planServer(movesOn: (request: number) => boolean = () => false): { api: Api; asked: Asked[] } {
  const asked: Asked[] = [];
  let state = 1;
  const call = async (_endpoint: string, request: Asked): Promise<Plan> => {
    if (movesOn(asked.length)) state += 1;
    asked.push({ dry_run: request.dry_run, expected_state: request.expected_state, skip: request.skip });
    if (request.expected_state !== null && request.expected_state !== String(state)) {
      throw new TorcError('conflict', 'it has moved on');
    }
    const changes = [1, 2, 3, 4, 5].slice(request.skip, request.skip + 2).map((at) => change(at));
    return { dry_run: request.dry_run, workflow_key: '7', state: String(state), changes, num_changes: 5 };
  };
  return { api: { call: call as Api['call'], close: async () => {} }, asked };
}

describe('plans as JSON', () => {
  const json = fakeContext(fakeTerminal(), { outputFormat: 'json' });
  const plan = (api: Api, dryRun: boolean) =>
    planAndApply(json, api, 'jobs_reset', { workflow_key: '7', which: 'all' }, dryRun);

  it('have every change, and the applied plan is the one that was read', async () => {
    const { api, asked } = planServer();
    const applied = await plan(api, false);
    expect(applied.changes.map((each) => each.job_key)).toEqual(['1', '2', '3', '4', '5']);
    expect(asked).toEqual([
      { dry_run: true, expected_state: null, skip: 0 },
      { dry_run: true, expected_state: '1', skip: 2 },
      { dry_run: true, expected_state: '1', skip: 4 },
      { dry_run: false, expected_state: '1', skip: 0 },
    ]);
    expect(await plan(planServer().api, true)).toEqual({ ...applied, dry_run: true });
  });

  it('say what was applied, when a file changed after the plan was read', async () => {
    const call = async (_endpoint: string, { dry_run }: Asked): Promise<Plan> => {
      const changes = dry_run ? [change(1)] : [change(1), change(2)];
      return { dry_run, workflow_key: '7', state: '1', changes, num_changes: changes.length };
    };
    const { changes, num_changes } = await plan({ call: call as Api['call'], close: async () => {} }, false);
    expect([changes.map((each) => each.job_key), num_changes]).toEqual([['1', '2'], 2]);
  });

  it('are made again when the workflow changes, three times at most', async () => {
    const once = planServer((request) => request === 3);
    expect(await plan(once.api, false)).toMatchObject({ dry_run: false, state: '2' });
    expect(once.asked).toHaveLength(8);
    const always = planServer(() => true);
    await expect(plan(always.api, false)).rejects.toMatchObject({ code: 'conflict' });
    expect(always.asked.filter((each) => each.expected_state === null)).toHaveLength(3);
  });

  it('need one request as text', async () => {
    const { api, asked } = planServer();
    await planAndApply(context, api, 'jobs_reset', { workflow_key: '7', which: 'all' }, false);
    expect(asked).toEqual([{ dry_run: false, expected_state: null, skip: 0 }]);
  });
});
