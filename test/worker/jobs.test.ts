/** Jobs as real processes: how they are started, how they end, what is reported. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { numberList } from '../../src/base/number-list.ts';
import { readStat } from '../../src/base/proc.ts';
import { stdioModes } from '../../src/model/launch.ts';
import { openNodeSpawner } from '../../src/worker/processes/node-spawner.ts';
import type { Spawner } from '../../src/worker/processes/spawner.ts';
import { allowedCpus, topologyOf } from '../../src/worker/processes/topology.ts';
import { FakeServer, type JobSpec } from './fake-server.ts';
import { startWorker, until } from './run.ts';

const all = { nodeNames: ['here'], numCpus: 64, memoryBytes: 2 ** 40, numGpus: 0, gpuIds: [] };

/** Runs the jobs to their end and returns the reports in order. */
async function runJobs(...jobs: JobSpec[]) {
  const worker = startWorker();
  worker.server.add(...jobs);
  const exit = await worker.exit;
  const reports = [...worker.server.attempts.values()].map(({ finished }) => {
    if (finished === null) throw new Error('a job has no end');
    return finished;
  });
  return { ...worker, exit, reports };
}

describe('ends of jobs', () => {
  it('reports success, exit codes and signals, each with its raw value', async () => {
    const { reports, exit } = await runJobs(
      { command: 'true' },
      { command: 'exit 3' },
      { command: 'kill -TERM $$' },
      { command: 'kill -KILL $$' },
      { command: 'exit 255' },
    );
    expect(
      reports.map(({ status, return_code, cause, exit_code, signal }) => [
        status,
        return_code,
        cause,
        exit_code,
        signal,
      ]),
    ).toEqual([
      ['done', 0, 'success', 0, null],
      ['done', 3, 'exit_code', 3, null],
      ['done', 143, 'signal', null, 15],
      ['done', 137, 'signal', null, 9],
      ['done', 255, 'exit_code', 255, null],
    ]);
    expect(exit).toEqual({ reason: 'complete', numJobs: 5, numFailed: 4 });
  });

  it('reports when a job started and how long it took', async () => {
    const { reports } = await runJobs({ command: 'sleep 2' });
    const [report] = reports;
    // it counts from when the worker hears of the process, which may take a moment on a busy machine
    expect(report?.exec_ms).toBeGreaterThanOrEqual(500);
    expect(report?.start_age_ms).toBeGreaterThanOrEqual((report?.age_ms ?? 0) + 500);
  });

  it('measures memory and processor time of all processes of a job', async () => {
    // both hold their memory from when the second one has it until a sample must have been taken
    const hog = (own: string, other: string) =>
      `node -e 'const fs = require("fs"); const b = Buffer.alloc(200 * 2 ** 20, 1); fs.writeFileSync("${own}", "");
        while (!fs.existsSync("${other}")); const t = Date.now(); while (Date.now() - t < 4000); b.at(0)'`;
    const command = `cd "$(mktemp -d)" && { ${hog('one', 'two')} & ${hog('two', 'one')} & wait; rm -r "$PWD"; }`;
    const { reports } = await runJobs({ command });
    expect(reports[0]?.peak_memory_bytes).toBeGreaterThan(400 * 2 ** 20);
    expect(reports[0]?.peak_memory_bytes).toBeLessThan(1000 * 2 ** 20);
    expect(reports[0]?.average_memory_bytes).toBeLessThanOrEqual(reports[0]?.peak_memory_bytes ?? 0);
    expect(reports[0]?.cpu_ms).toBeGreaterThan(500);
  });

  it('counts memory that processes share once', async () => {
    // the shell holds the text, and each subshell is a copy of it that shares its pages
    const hold = 'text=$(head -c 120000000 /dev/zero | tr "\\0" x); for i in 1 2 3 4; do (sleep 4; :) & done; wait';
    const { reports } = await runJobs({ command: `${hold}; :` });
    expect(reports[0]?.return_code).toBe(0);
    expect(reports[0]?.peak_memory_bytes).toBeGreaterThan(100e6);
    expect(reports[0]?.peak_memory_bytes).toBeLessThan(400e6);
    expect(reports[0]?.average_memory_bytes).toBeGreaterThan(50e6);
  });

  it('has the processor time but no memory of a job that was too short to be measured', async () => {
    const { reports } = await runJobs({ command: 'true' });
    expect(reports[0]).toMatchObject({ peak_memory_bytes: null, average_memory_bytes: null });
    expect(reports[0]?.cpu_ms).toBeLessThan(1000);
  });
});

describe('the CPUs of jobs', () => {
  it('are their own while they run: no two jobs have the same one, and those that are bound see no other', async () => {
    const worker = startWorker(new FakeServer(), {
      capacity: { ...all, numCpus: 2, topology: topologyOf((allowedCpus() ?? []).slice(0, 2)) },
      pin: true,
    });
    const show = 'echo $TORC_CPUS $OMP_NUM_THREADS $(sed -n "s/Cpus_allowed_list:\\s*//p" /proc/self/status)';
    // a slow machine lets the others wait for so long that they go back
    worker.server.givesAgain = true;
    // each waits for the other, so that both run at once
    const meet = (own: string, other: string) =>
      `touch "$TORC_OUTPUT_DIR/${own}"; until [ -e "$TORC_OUTPUT_DIR/${other}" ]; do sleep 0.1; done`;
    worker.server.add(
      { command: `${show}; ${meet('a', 'b')}`, num_cpus: 1 },
      { command: `${show}; ${meet('b', 'a')}`, num_cpus: 1 },
      { command: show, num_cpus: 2 },
      { command: show, num_cpus: 1, pin: false },
    );
    await worker.exit;
    const attempts = [...worker.server.attempts.values()].filter(({ finished }) => finished !== null);
    const byJob = new Map(attempts.map(({ assignment }) => [assignment.job_key, assignment.attempt]));
    const [first, second, third, fourth] = ['1', '2', '3', '4'].map((job) =>
      worker
        .stdout(byJob.get(job) ?? 0)
        .trim()
        .split(' '),
    );
    const cpus = (allowedCpus() ?? []).slice(0, 2);
    expect([first?.[0], second?.[0]].toSorted()).toEqual(cpus.map(String));
    expect(first).toEqual([first?.[0], '1', first?.[0]]);
    expect(second).toEqual([second?.[0], '1', second?.[0]]);
    expect(third).toEqual([numberList(cpus), '2', numberList(cpus)]);
    expect(fourth?.slice(1)).toEqual(['1', numberList(allowedCpus() ?? [])]);
  });
});

describe('what a job sees', () => {
  it('has the names and directories in its environment, and nothing on standard input', async () => {
    const worker = await runJobs({
      command: 'env -0 | grep -z ^TORC_ | sort -z | tr "\\0" "\\n"; cat; pwd',
      job_name: 'a "b" $c\nd é -x',
      job_key: '1234567',
      run_id: 3,
      attempt_id: 2,
    });
    const lines = worker.stdout(1);
    expect(lines).toContain('TORC_WORKFLOW_KEY=7\n');
    expect(lines).toContain('TORC_WORKFLOW_ID=7\n');
    expect(lines).toContain('TORC_JOB_KEY=1234567\n');
    expect(lines).toContain('TORC_JOB_ID=1234567\n');
    expect(lines).toContain('TORC_JOB_NAME=a "b" $c\nd');
    expect(lines).toContain('TORC_RUN_ID=3\n');
    expect(lines).toContain('TORC_ATTEMPT_ID=2\n');
    expect(lines).toContain('TORC_ATTEMPT_KEY=1\n');
    expect(lines).toContain(`TORC_WORKER_ID=${worker.workerId}\n`);
    expect(lines).toContain(`TORC_DIR=${worker.directory}\n`);
    expect(lines).toContain(`TORC_OUTPUT_DIR=${join(worker.directory, 'output')}\n`);
    expect(lines.trimEnd().endsWith(process.cwd())).toBe(true);
    expect(statSync(join(worker.directory, 'output/job_stdio/1234/job_1234567_run_3_attempt_2.err')).size).toBe(0);
  });

  it('runs odd commands as the shell would', async () => {
    const worker = await runJobs(
      { command: 'echo "a  b" \'$HOME\'; echo $((1+1))' },
      { command: 'echo one\necho two # comment' },
      { command: '-no-such-option-or-command' },
      { command: 'printf "%s" "ünï\\tcode 🚀"' },
      { command: `printf '%s|' "$0" "$@"; exit 4` },
      { command: '"with space" x', invocation_script: `printf '<%s>'` },
    );
    expect(worker.stdout(1)).toBe('a  b $HOME\n2\n');
    expect(worker.stdout(2)).toBe('one\ntwo\n');
    expect(worker.reports[2]).toMatchObject({ return_code: 127, cause: 'exit_code' });
    expect(worker.stderr(3)).toContain('-no-such-option-or-command');
    expect(worker.stdout(4)).toBe('ünï\\tcode 🚀');
    expect(worker.stdout(5)).toBe('bash|');
    expect(worker.reports[4]?.return_code).toBe(4);
    expect(worker.stdout(6)).toBe('<with space><x>');
  });

  it('leads its own session and process group', async () => {
    const worker = await runJobs({
      command: 'read -r _ _ _ _ group session _ < /proc/$$/stat; echo $(( $$ == group && $$ == session ))',
    });
    expect(worker.stdout(1)).toBe('1\n');
  });

  it('sees the GPUs it was given, and none where it was given none', async () => {
    const capacity = {
      nodeNames: ['here'],
      numCpus: 4,
      memoryBytes: 2 ** 30,
      numGpus: 3,
      gpuIds: ['GPU-aa', 'GPU-bb', '7'],
    };
    const worker = startWorker(new FakeServer(), { capacity });
    const command = 'echo "[$CUDA_VISIBLE_DEVICES]"';
    worker.server.add({ command, gpu_indices: [2, 0] }, { command });
    await worker.exit;
    expect([worker.stdout(1), worker.stdout(2)]).toEqual(['[7,GPU-aa]\n', '[]\n']);
  });

  it('gets its nodes by name, without the number of tasks of the whole allocation', async () => {
    vi.stubEnv('SLURM_NTASKS', '9');
    onTestFinished(() => void vi.unstubAllEnvs());
    const capacity = { nodeNames: ['n1', 'n2', 'n3'], numCpus: 4, memoryBytes: 2 ** 30, numGpus: 0, gpuIds: [] };
    const worker = startWorker(new FakeServer(), { capacity });
    const command = 'echo "$TORC_NUM_NODES $TORC_NODE_LIST"; env | grep -c ^SLURM_NTASKS=';
    worker.server.add({ command, node_indices: [1, 2] }, { command });
    await worker.exit;
    expect([worker.stdout(1), worker.stdout(2)]).toEqual(['2 n2,n3\n0\n', '1 n1\n1\n']);
  });

  it('is a better victim for the kernel than the worker', async () => {
    const worker = await runJobs({ command: 'cat /proc/self/oom_score_adj /proc/$PPID/oom_score_adj' });
    expect(worker.stdout(1)).toBe('500\n0\n');
  });
});

describe('jobs that cannot be started', () => {
  it('are reported with the reason, and the worker continues', async () => {
    const { reports, exit } = await runJobs({ command: `: ${'x'.repeat(300_000)}` }, { command: 'echo fine' });
    expect(reports[0]).toMatchObject({ status: 'done', cause: 'spawn_error', return_code: 126, start_age_ms: null });
    expect(reports[0]?.detail).toContain('put it into a script');
    expect(reports[1]).toMatchObject({ return_code: 0 });
    expect(exit).toEqual({ reason: 'complete', numJobs: 2, numFailed: 1 });
  });

  it('names the file when the output cannot be opened', async () => {
    const server = new FakeServer();
    const worker = startWorker(server);
    mkdirSync(join(worker.directory, 'output'));
    writeFileSync(join(worker.directory, 'output/job_stdio'), 'in the way');
    server.add({ command: 'true' });
    await worker.exit;
    expect(server.attempts.get(1)?.finished).toMatchObject({ cause: 'spawn_error', return_code: 126 });
    expect(server.attempts.get(1)?.finished?.detail).toContain('job_stdio');
  });

  it('end with 127 when there is no shell', async () => {
    const path = process.env.PATH;
    const server = new FakeServer();
    process.env.PATH = '/nowhere';
    try {
      const worker = startWorker(server);
      server.add({ command: 'true' });
      await worker.exit;
    } finally {
      process.env.PATH = path;
    }
    expect(server.attempts.get(1)?.finished).toMatchObject({ cause: 'spawn_error', return_code: 127 });
  });
});

describe('the hello', () => {
  it('identifies this process, even after its pid is reused', async () => {
    const worker = await runJobs({ command: 'true' });
    const { startTime } = readStat('/proc', process.pid) ?? {};
    expect(startTime).toBeGreaterThan(0);
    const working_directory = process.cwd();
    expect(worker.server.hellos).toMatchObject([{ pid: process.pid, start_ticks: startTime, working_directory }]);
  });
});

describe('many jobs', () => {
  it('runs 200 quick jobs, each once', async () => {
    const worker = startWorker();
    const jobs = Array.from({ length: 200 }, (_, index) => ({ command: `echo ${index}; exit ${index % 3}` }));
    worker.server.add(...jobs);
    expect(await worker.exit).toEqual({ reason: 'complete', numJobs: 200, numFailed: 133 });
    expect(worker.server.attempts.size).toBe(200);
    expect(worker.stdout(200)).toBe('199\n');
    expect(worker.server.seen.every((request) => request.held.length <= 4)).toBe(true);
  });

  it('starts jobs that were given ahead of time only when there is room', async () => {
    const server = new FakeServer();
    server.slots = 50;
    const capacity = { nodeNames: ['here'], numCpus: 2, memoryBytes: 2 ** 30, numGpus: 0, gpuIds: [] };
    const worker = startWorker(server, { capacity });
    const command = `mkdir "$TORC_OUTPUT_DIR/in" 2>/dev/null; touch "$TORC_OUTPUT_DIR/in/$$"; ls "$TORC_OUTPUT_DIR/in" | wc -l; sleep 0.05; rm "$TORC_OUTPUT_DIR/in/$$"`;
    server.add(...Array.from({ length: 20 }, () => ({ command })));
    await worker.exit;
    const together = Array.from({ length: 20 }, (_, index) => Number(worker.stdout(index + 1)));
    expect(Math.max(...together)).toBe(2);
  });

  it('returns jobs that were given ahead of time and would have to wait for a long job', async () => {
    const server = new FakeServer();
    server.slots = 50;
    const worker = startWorker(server, { maxParallelJobs: 1 });
    server.add({ command: 'sleep 300' }, { command: 'true' }, { command: 'true' });
    await until(() => [2, 3].every((attempt) => server.attempts.get(attempt)?.isReturned === true));
    expect(server.attempts.get(1)).toMatchObject({ finished: null, isReturned: false });
    worker.signal('terminate');
    await worker.exit;
  });

  it.each(['terminate', 'drain'] as const)(
    'gives back jobs that were given ahead of time at once on %s',
    async (signal) => {
      const server = new FakeServer();
      server.slots = 50;
      const worker = startWorker(server, { maxParallelJobs: 1 });
      const go = join(worker.directory, 'go');
      const touch = { command: 'touch "$TORC_OUTPUT_DIR/ran"' };
      server.add(
        { command: `while [ ! -e '${go}' ]; do sleep 0.02; done` },
        ...Array.from({ length: 20 }, () => touch),
      );
      await until(() => server.attempts.get(1)?.started != null);
      worker.signal(signal);
      const others = Array.from({ length: 20 }, (_, index) => index + 2);
      await until(() => others.every((attempt) => server.attempts.get(attempt)?.isReturned === true));
      writeFileSync(go, '');
      await worker.exit;
      expect(server.attempts.get(1)?.finished?.status).toBe(signal === 'drain' ? 'done' : 'terminated');
      expect(existsSync(join(worker.directory, 'output/ran'))).toBe(false);
    },
  );

  it('stops those that start although it takes them back', async () => {
    const server = new FakeServer();
    server.slots = 50;
    const directory = mkdtempSync(join(tmpdir(), 'torc-late-test-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const inner = openNodeSpawner(100, process.env, null, directory);
    let isLate = false;
    const late: Spawner = {
      ...inner,
      queue: (request, listener) => ({
        start() {},
        withdraw() {
          if (isLate) return;
          isLate = true;
          setImmediate(() => {
            listener.placed(request.attempt);
            inner.spawn(request, listener);
          });
        },
      }),
    };
    const worker = startWorker(server, { maxParallelJobs: 1 }, silentLog, late);
    server.add({ command: 'sleep 300' }, { command: 'sleep 300' });
    await until(() => server.attempts.get(1)?.started != null);
    worker.signal('terminate');
    await worker.exit;
    for (const { finished } of server.attempts.values()) expect(finished).toMatchObject({ status: 'terminated' });
    expect(worker.processes()).toEqual([]);
  });
});

describe('what a job leaves behind', () => {
  it('is killed when its main process ends, even in another session', async () => {
    const worker = await runJobs(
      { command: 'sleep 300 & setsid sleep 300 & disown -a; sleep 0.2; exit 0' },
      { command: 'setsid -f sleep 300; exit 5' },
    );
    expect(worker.reports.map((report) => report.return_code)).toEqual([0, 5]);
    expect(worker.processes()).toEqual([]);
  });

  it('does not touch processes that only look similar', async () => {
    const worker = startWorker();
    const other = startWorker();
    other.server.add({ command: 'sleep 300' });
    await until(() => other.server.attempts.get(1)?.started != null);
    worker.server.add({ command: 'exit 0' });
    await worker.exit;
    // the same attempt key, of another worker
    expect(other.processes().length).toBe(1);
  });
});

describe('files of jobs', () => {
  it('follow the umask and are emptied before a second use', async () => {
    const server = new FakeServer();
    const worker = startWorker(server);
    const folder = join(worker.directory, 'output/job_stdio/0000');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'job_1_run_1_attempt_1.out'), 'older and longer than the new one');
    chmodSync(join(folder, 'job_1_run_1_attempt_1.out'), 0o600);
    server.add({ command: 'echo new' });
    await worker.exit;
    expect(worker.stdout(1)).toBe('new\n');
    const mode = statSync(join(folder, 'job_1_run_1_attempt_1.err')).mode & 0o777;
    expect(mode).toBe(0o666 & ~process.umask());
  });
});

describe('a job that states how it is started', () => {
  it('starts in its directory, reads its file, has its variables, and runs in its image', async () => {
    const folder = mkdtempSync(join(tmpdir(), "torc it's "));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'in put'), 'hello\n');
    mkdirSync(join(folder, 'bin'));
    // it stands for apptainer: tells its arguments and runs the last one
    const fake = '#!/bin/bash\necho "$1 $2 $(basename "$3") $4"\nshift 4\nexec "$@"\n';
    writeFileSync(join(folder, 'bin/apptainer'), fake, { mode: 0o755 });
    const env = { PATH: `${join(folder, 'bin')}:${process.env.PATH}`, GREETING: "it's $HOME" };
    const worker = await runJobs(
      { command: 'pwd; cat; printf %s "$GREETING"', cwd: folder, stdin: 'in put', env },
      { command: 'echo "in $GREETING"', cwd: folder, container: 'busybox:1', env },
      { command: 'true', cwd: join(folder, 'none') },
      { command: 'true', cwd: folder, stdin: 'none' },
    );
    expect(worker.stdout(1)).toBe(`${folder}\nhello\nit's $HOME`);
    expect(worker.stdout(2)).toBe(`exec --pwd ${basename(folder)} docker://busybox:1\nin it's $HOME\n`);
    expect(worker.reports.map(({ return_code }) => return_code)).toEqual([0, 0, 126, 126]);
    expect(worker.stderr(3)).toContain('none');
  });

  it('writes to where it says instead of the worker, and the report says where', async () => {
    const modes = [...stdioModes.filter((mode) => mode !== 'combined'), undefined];
    const jobs = modes.flatMap((stdio) =>
      [0, 1].map((code) => ({
        command: `echo o; echo e >&2; exit ${code}`,
        ...(stdio === undefined ? {} : { stdio }),
      })),
    );
    const worker = await runJobs(...jobs);
    const kept = (read: (attempt: number) => string, attempt: number) => {
      try {
        return read(attempt);
      } catch {
        return null;
      }
    };
    const found = jobs.map(({ stdio = 'default' }, i) => [
      ...[stdio, worker.reports[i]?.log?.kind ?? null],
      ...[kept(worker.stdout, i + 1), kept(worker.stderr, i + 1)],
    ]);
    expect(found).toEqual([
      ...['files', 'files'].map((mode) => [mode, 'files', 'o\n', 'e\n']),
      ['on-failure', 'removed', null, null],
      ['on-failure', 'files', 'o\n', 'e\n'],
      ...['none', 'none'].map((mode) => [mode, 'none', null, null]),
      ...['per-job', 'per-job'].map((mode) => [mode, 'per-job', 'o\ne\n', null]),
      ...['no-stdout', 'no-stdout'].map((mode) => [mode, 'no-stdout', null, 'e\n']),
      ...['no-stderr', 'no-stderr'].map((mode) => [mode, 'no-stderr', 'o\n', null]),
      ['per-job-on-failure', 'removed', null, null],
      ['per-job-on-failure', 'per-job', 'o\ne\n', null],
      ['no-stdout-on-failure', 'removed', null, null],
      ['no-stdout-on-failure', 'no-stdout', null, 'e\n'],
      ['no-stderr-on-failure', 'removed', null, null],
      ['no-stderr-on-failure', 'no-stderr', 'o\n', null],
      ...['default', 'default'].map((mode) => [mode, null, 'o\n', 'e\n']),
    ]);
  });
});
