/** Jobs that srun starts as steps of an allocation, with an srun of the test's own that behaves as Slurm's was seen to. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stepsDirectory } from '../../src/base/paths.ts';
import { startWorker, type TestWorker, until } from './run.ts';

/**
 * Slurm's daemon starts the command elsewhere, in a session of its own. SIGTERM kills the step, or gives up one that has
 * not started. `late` and `broken` in its folder hold it up, or make it fail; `oom` makes the step one whose memory ran out.
 */
const srun = `#!/bin/bash
here=\${0%/*}
while [ "$1" != -- ]; do echo "$1"; shift; done > "$here/options.$TORC_ATTEMPT_KEY"
shift
trap 'exit 1' TERM
while [ -e "$here/late" ]; do sleep 0.02; done
if [ -e "$here/broken" ]; then echo 'srun: error: Unable to create step' >&2; exit 1; fi
SLURM_STEP_ID=5 CUDA_VISIBLE_DEVICES=slurm setsid "$@" &
child=$!
trap 'kill -9 -- -$child' TERM
until wait $child; code=$?; ! kill -0 $child 2>/dev/null; do :; done
if [ -e "$here/oom" ] && [ "$code" = 137 ]; then code=1; fi
exit $code
`;

function stepWorker(options: Parameters<typeof startWorker>[1] = {}): TestWorker & { folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'torc-srun-test-'));
  writeFileSync(join(folder, 'srun'), srun);
  chmodSync(join(folder, 'srun'), 0o755);
  const { PATH } = process.env;
  process.env.PATH = `${folder}${delimiter}${PATH}`;
  onTestFinished(() => {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true, force: true });
  });
  const steps = { node: { nodeName: 'n1', memoryBytes: 2 ** 30 } };
  return { ...startWorker(undefined, { steps, ...options }), folder };
}

const slurm = { execution: 'slurm' } as const;
const finished = (worker: TestWorker, attempt: number) => worker.server.attempts.get(attempt)?.finished;

describe('a job that is a step', () => {
  it('ends as without srun, with the same environment, directory and streams', async () => {
    const worker = stepWorker({
      capacity: { nodeNames: ['h'], numCpus: 4, memoryBytes: 2 ** 30, numGpus: 2, gpuIds: ['a', 'b'] },
    });
    const job_name = `it's "odd"`;
    writeFileSync(join(worker.folder, 'read'), 'input');
    worker.server.add(
      {
        ...slurm,
        job_name,
        command: `printf '%s|' "$TORC_JOB_NAME" "$CUDA_VISIBLE_DEVICES" "$X" "$(pwd)" "$(cat)"; echo "it's" >&2; exit 7`,
        env: { X: 'a\n"b"' },
        cwd: worker.folder,
        stdin: 'read',
        gpu_indices: [1],
        memory_limit_bytes: 300 * 2 ** 20 - 1,
      },
      { ...slurm, command: 'kill -USR1 $$' },
      { ...slurm, command: 'exit 138', memory_limit_bytes: 2 ** 31 },
      { command: 'echo "$SLURM_STEP_ID"' },
    );
    await worker.exit;
    expect(finished(worker, 1)).toMatchObject({ return_code: 7, cause: 'exit_code', exit_code: 7, slurm_step: '5' });
    expect(worker.stdout(1)).toBe(`${job_name}|b|a\n"b"|${worker.folder}|input|`);
    expect(worker.stderr(1)).toBe("it's\n");
    expect(finished(worker, 2)).toMatchObject({ return_code: 138, cause: 'signal', exit_code: null, signal: 10 });
    expect(finished(worker, 3)).toMatchObject({ return_code: 138, cause: 'exit_code', exit_code: 138, signal: null });
    expect(finished(worker, 4)).not.toHaveProperty('slurm_step');
    expect(worker.stdout(4)).toBe('\n');
    const options = (attempt: number) => readFileSync(join(worker.folder, `options.${attempt}`), 'utf8').split('\n');
    expect(options(1)).toEqual(
      expect.arrayContaining(['--overlap', '--nodelist=n1', '--mem=300', `--job-name=${job_name}`, '--cpu-bind=none']),
    );
    // one that states no memory, or more than there is, may use all
    expect([2, 3].map((attempt) => options(attempt).includes('--mem=0'))).toEqual([true, true]);
    expect(existsSync(join(worker.folder, 'options.4'))).toBe(false);
    expect(existsSync(stepsDirectory(worker.directory, worker.workerId))).toBe(false);
  });

  it('never starts without srun, also where others are given ahead of time', async () => {
    const worker = stepWorker({
      capacity: { nodeNames: ['h'], numCpus: 1, memoryBytes: 2 ** 30, numGpus: 0, gpuIds: [] },
    });
    worker.server.slots = 20;
    worker.server.add(...Array.from({ length: 20 }, () => ({ ...slurm, command: 'echo "$SLURM_STEP_ID"' })));
    await worker.exit;
    const out = Array.from({ length: 20 }, (_, index) => worker.stdout(index + 1));
    expect(new Set(out)).toEqual(new Set(['5\n']));
  });

  it('is measured in the step', async () => {
    const worker = stepWorker();
    const hold = `node -e 'const b = Buffer.alloc(100 * 2 ** 20, 1); setTimeout(() => b.length, 1500)'`;
    worker.server.add({ ...slurm, command: `${hold}; true` });
    await worker.exit;
    const { peak_memory_bytes: peak, cpu_ms: cpuMs } = finished(worker, 1) ?? {};
    expect(peak).toBeGreaterThan(100 * 2 ** 20);
    expect(cpuMs).toBeGreaterThan(10);
  });

  it('ran out of memory when Slurm says so and it was killed; one that was killed otherwise did not', async () => {
    const worker = stepWorker();
    writeFileSync(join(worker.folder, 'oom'), '');
    worker.server.completes = false;
    worker.server.add({ ...slurm, command: 'kill -9 $$' });
    await until(() => worker.server.numFinished === 1);
    rmSync(join(worker.folder, 'oom'));
    // the third takes what Slurm started with it, and leaves a process
    const [own, all] = ['kill -9 $$', 'kill -9 $PPID; sleep 300'];
    worker.server.add({ ...slurm, command: own }, { ...slurm, command: all });
    await until(() => worker.server.numFinished === 3);
    expect(worker.processes()).toEqual([]);
    expect(finished(worker, 1)).toMatchObject({ return_code: 137, cause: 'oom', signal: 9 });
    expect(finished(worker, 2)).toMatchObject({ return_code: 137, cause: 'signal', signal: 9 });
    expect(finished(worker, 3)).toMatchObject({ return_code: 137, cause: 'signal', signal: 9 });
  });

  it('that srun cannot start fails and says so', async () => {
    const worker = stepWorker();
    writeFileSync(join(worker.folder, 'broken'), '');
    worker.server.add({ ...slurm, command: 'true' });
    await worker.exit;
    expect(finished(worker, 1)).toMatchObject({ status: 'done', return_code: 126, cause: 'spawn_error' });
    expect(finished(worker, 1)?.detail).toMatch(/^srun could not start a step \(it ended with 1\)/);
    expect(worker.stderr(1)).toBe('srun: error: Unable to create step\n');
  });

  it('is stopped as others are: a signal first, then everything that it has started', async () => {
    const worker = stepWorker();
    const family = 'sleep 300 & setsid sleep 300 &';
    worker.server.add(
      { ...slurm, command: `trap 'echo saved; exit 0' TERM; ${family} echo up; while :; do sleep 0.02; done` },
      { ...slurm, command: `trap '' TERM; ${family} echo up; while :; do sleep 0.02; done` },
    );
    await until(() => [1, 2].every((attempt) => existsAndUp(worker, attempt)));
    worker.server.stop(1);
    worker.server.stop(2);
    worker.server.completes = false;
    await until(() => worker.server.numFinished === 2);
    expect(worker.stdout(1)).toBe('up\nsaved\n');
    for (const attempt of [1, 2]) expect(finished(worker, attempt)).toMatchObject({ status: 'canceled' });
    expect(worker.processes()).toEqual([]);
  });

  it('that waits for Slurm is given up when it is stopped', async () => {
    const worker = stepWorker();
    writeFileSync(join(worker.folder, 'late'), '');
    worker.server.add({ ...slurm, command: 'echo ran' });
    await until(() => readdirSync(worker.folder).includes('options.1'));
    worker.server.stop(1);
    await until(() => worker.server.numFinished === 1);
    expect(finished(worker, 1)).toMatchObject({ status: 'canceled' });
    expect(worker.processes()).toEqual([]);
    expect(worker.stdout(1)).toBe('');
  });
});

function existsAndUp(worker: TestWorker, attempt: number): boolean {
  return worker.server.attempts.get(attempt)?.started != null && worker.stdout(attempt).startsWith('up\n');
}
