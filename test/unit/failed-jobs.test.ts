/** Failed jobs for those who look again and again: read once for some time, and anew in another run. */
import { describe, expect, it } from 'vitest';
import type { Api } from '../../src/api/contract.ts';
import { FailedJobs, readFailures } from '../../src/cli/output/failures.ts';
import { FakeClock } from '../support/fake-machine.ts';

/** A server on which every job has failed; `asked` says which were asked for. */
function server(attempt: object) {
  const asked: string[] = [];
  const call = async (_endpoint: string, { job_key }: { job_key: string }) => {
    asked.push(job_key);
    const job = { name: `job_${job_key}`, command: 'false', return_code: 1, cause: 'exit_code', status: 'done' };
    return { job, attempts: [{ run_id: 1, attempt_id: 1, stderr_path: null, ...attempt }], diagnosis: null };
  };
  return { asked, api: { call } as unknown as Api };
}

const group = (numJobs: number, keys: string[]) => ({
  ...{ cause: 'exit_code', return_code: 1, num_jobs: numJobs, first_job_keys: keys },
});
const run = (run_id: number) => ({ workflow_key: '7', run_id });

describe('failed jobs that are looked at again and again', () => {
  it('are read once, and their number is always the newest', async () => {
    const clock = new FakeClock();
    const { api, asked } = server({ log_kind: 'empty' });
    const failed = new FailedJobs(clock);
    const read = (numJobs: number, keys: string[], runId = 1) =>
      readFailures({ format: 'text' }, api, [group(numJobs, keys)], failed.of(run(runId)));
    await read(1, ['4']);
    const { groups } = await read(2, ['3', '4']);
    expect(groups).toMatchObject([{ num_jobs: 2, shown: [{ job_key: '3' }, { job_key: '4', stderr_tail: [] }] }]);
    expect(asked).toEqual(['4', '3']);
    await read(1, ['4'], 2);
    expect(asked).toEqual(['4', '3', '4']);
    await clock.advance(29_000);
    await read(2, ['3', '4']);
    expect(asked).toHaveLength(3);
    await clock.advance(2_000);
    await read(2, ['3', '4']);
    expect(asked).toHaveLength(5);
  });

  it('are read again while their output is not there', async () => {
    const { api, asked } = server({ log_kind: 'files', stderr_path: '/nowhere/stderr' });
    const failed = new FailedJobs(new FakeClock());
    for (let look = 0; look < 2; look++) {
      const { groups } = await readFailures({ format: 'text' }, api, [group(1, ['4'])], failed.of(run(1)));
      expect(groups[0]?.shown[0]?.stderr_tail).toBeNull();
    }
    expect(asked).toEqual(['4', '4']);
  });
});
