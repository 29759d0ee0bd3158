/** Recovery scripts as real processes: before the command, in the same job. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JobSpec } from './fake-server.ts';
import { startWorker } from './run.ts';

const failed = { run_id: 1, attempt_id: 1, return_code: 75 };
const recovering = (script: string, job: JobSpec): JobSpec => ({
  ...job,
  attempt_id: 2,
  recovery: { script, ...failed },
});

async function runJob(job: JobSpec) {
  const worker = startWorker();
  worker.server.add(job);
  await worker.exit;
  const report = worker.server.attempts.get(1)?.finished;
  return { ...worker, report };
}

describe('a recovery script', () => {
  it('runs to its end before the command, and sees the failed attempt', async () => {
    const script = `# don't "quote" $me\nsleep 0.1\necho "$TORC_JOB_KEY $TORC_JOB_NAME $TORC_ATTEMPT_ID $TORC_RETURN_CODE $TORC_WORKFLOW_KEY"`;
    const job = recovering(script, {
      command: 'echo "$TORC_ATTEMPT_ID-$TORC_RETURN_CODE"; exit 4',
      job_name: "it's é",
    });
    const { report, stdout } = await runJob(job);
    expect(stdout(1)).toBe("1 it's é 1 75 7\n2-\n");
    expect(report).toMatchObject({ status: 'done', return_code: 4, cause: 'exit_code', detail: null });
  });

  it('changes neither the directory nor the variables of the command, and may end early', async () => {
    const { report, stdout } = await runJob(
      recovering('cd /\nexport X=1\nexit 0\nexit 1', { command: 'echo "[$X]$PWD"' }),
    );
    expect(stdout(1)).toBe(`[]${process.cwd()}\n`);
    expect(report?.return_code).toBe(0);
  });

  it('that fails at any line ends the attempt with its return code, without the command', async () => {
    const { report, stdout } = await runJob(recovering('echo one\n(exit 9)\necho two', { command: 'echo three' }));
    expect(stdout(1)).toBe('one\n');
    expect(report).toMatchObject({ status: 'done', return_code: 9, cause: 'exit_code', exit_code: 9 });
    expect(report?.detail).toBe('its recovery script failed with 9, so the command did not run');
  });

  it('is not blamed for what an earlier worker left behind', async () => {
    const worker = startWorker();
    const left = join(worker.directory, 'output/job_stdio/0000/job_1_run_1_attempt_2.recovery');
    mkdirSync(dirname(left), { recursive: true });
    symlinkSync('3', left);
    worker.server.add(recovering('true', { command: 'exit 3' }));
    await worker.exit;
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({ return_code: 3, detail: null });
  });

  it.each(['ln -s "$target"', 'mkfifo'])('that fails writes through nothing put in its way: %s', async (plant) => {
    const worker = startWorker();
    const target = join(worker.directory, 'target');
    writeFileSync(target, 'precious');
    const mark = join(worker.directory, 'output/job_stdio/0000/job_1_run_1_attempt_2.recovery');
    const script = `target='${target}'; ${plant} '${mark}'; exit 9`;
    worker.server.add(recovering(script, { command: 'true', runtime_limit_ms: 20_000 }));
    await worker.exit;
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({ cause: 'exit_code', return_code: 9 });
    expect(worker.server.attempts.get(1)?.finished?.detail).toContain('its recovery script failed with 9');
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  it('is stopped with its job, and counts towards its runtime', async () => {
    const { report } = await runJob(recovering('sleep 60', { command: 'true', runtime_limit_ms: 300 }));
    expect(report).toMatchObject({ status: 'done', return_code: 152, cause: 'job_timeout' });
    expect(report?.detail).toContain('longer than its limit');
  });
});
