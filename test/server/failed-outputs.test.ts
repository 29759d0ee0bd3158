/** The outputs of failed jobs: the same jobs and attempts as among the outputs of all, and only what groups are made of. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FailedOutput, JobOutputs, Reply } from '../../src/api/contract.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, finished, freshService, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;
beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(() => close());

const plan = { dry_run: false, expected_state: null, skip: 0 };
const terminated = { status: 'terminated', return_code: null, cause: 'walltime', exit_code: null } as const;
const names = ['bad', 'good', 'worse', 'cut', 'lost', 'again', 'ready'];

/** `cut` is terminated unless it is good here; `lost` is neither held nor reported. */
async function failedWorkflow(hasTerminated: boolean): Promise<string> {
  const key = await createWorkflow(
    service,
    names.map((name) => ({ name })),
  );
  await service.call('workflow_modify', { workflow_key: key, changes: { max_losses: 0 } });
  const worker = await TestWorker.join(service, key, { cpus: 6 }, null, { output_directory: '/out' });
  await worker.exchange();
  const [bad = 0, good = 0, worse = 0, cut = 0, , again = 0] = worker.held;
  worker.held = [];
  const ends = [
    { ...finished(bad, 3), log: { kind: 'files' as const } },
    finished(good),
    { ...finished(worse, 4), log: { kind: 'combined' as const, offset: 10, length: 20 } },
    { ...finished(cut), ...(hasTerminated ? terminated : {}) },
    finished(again, 5),
  ];
  await worker.exchange({ finished: ends, draining: true });
  await service.call('jobs_reset', { workflow_key: key, which: [], ...plan, job_names: ['again'] });
  return key;
}

/** Page by page. */
async function failed(workflow_key: string, limit: number) {
  const all: FailedOutput[] = [];
  for (let after: string | null = null; ; after = all.at(-1)?.job_key ?? null) {
    const { jobs, more }: Reply<'failed_outputs'> = await service.call('failed_outputs', {
      workflow_key,
      after,
      limit,
    });
    all.push(...jobs);
    if (!more) return all;
    expect(jobs).toHaveLength(limit);
  }
}

function expected({ job, attempts: [attempt] }: JobOutputs) {
  return {
    job_key: job.job_key,
    job_name: job.name,
    attempt: {
      ...{ job_key: job.job_key, run_id: attempt?.run_id, attempt_id: attempt?.attempt_id },
      ...{ return_code: attempt?.return_code, cause: attempt?.cause, hostname: attempt?.hostname },
      ...{ memory_bytes: attempt?.memory_bytes, inherited_from: null, log_kind: attempt?.log_kind },
      ...{ log_offset: attempt?.log_offset, log_length: attempt?.log_length },
      ...{ stdout_path: attempt?.stdout_path, stderr_path: attempt?.stderr_path },
    },
  };
}

it.each([true, false])(
  'are those of jobs that failed, were stopped or were lost (some were stopped: %s)',
  async (is) => {
    await failedWorkflow(true);
    const workflow_key = await failedWorkflow(is);
    const request = { workflow_key, job_keys: null, all_attempts: false, after: null, limit: 100 };
    const outputs = await service.call('jobs_outputs', request);
    const found = await failed(workflow_key, 100);
    expect(found.map(({ job_name }) => job_name)).toEqual(['bad', 'worse', ...(is ? ['cut'] : []), 'lost']);
    expect(found).toEqual(outputs.jobs.map(expected));
    expect(found[0]?.attempt).toMatchObject({ log_kind: 'files', stdout_path: expect.stringMatching(/^\/out\//) });
    expect(found[1]?.attempt).toMatchObject({ log_kind: 'combined', log_offset: 10, log_length: 20 });
    for (const limit of [1, 2]) expect(await failed(workflow_key, limit)).toEqual(found);
  },
);

it('a job that failed before it started has no attempt', async () => {
  const workflow_key = await createWorkflow(service, [{ name: 'a' }]);
  service.db.run(`UPDATE jobs SET status = 'done', failed = 1 WHERE workflow_key = ?`, Number(workflow_key));
  expect(await failed(workflow_key, 1)).toEqual([{ job_key: expect.any(String), job_name: 'a', attempt: null }]);
});
