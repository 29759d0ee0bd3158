import { describe, expect, it } from 'vitest';
import type { Api, WorkflowShown } from '../../src/api/contract.ts';
import type { Clock } from '../../src/base/clock.ts';
import { shellWord } from '../../src/base/text.ts';
import type { GlobalOptions } from '../../src/cli/context/context.ts';
import { lastLines, shareOut } from '../../src/cli/output/failures.ts';
import { createProgress } from '../../src/cli/output/progress.ts';
import { followRun, PipePace, runLine } from '../../src/cli/output/run-progress.ts';
import { exitCodeOf, summaryOf, summaryText, summaryValue } from '../../src/cli/output/summary.ts';
import { workerError, workerWords } from '../../src/cli/workers/local-worker.ts';
import { type JobCounts, noJobs } from '../../src/model/status.ts';
import { fakeClock, fakeContext, fakeTerminal } from './cli-fakes.ts';

function shown(counts: Partial<JobCounts>, more: Partial<WorkflowShown> = {}): WorkflowShown {
  const { failed, ...all } = { ...noJobs(), ...counts };
  return {
    workflow_key: '7',
    name: 'sweep',
    tool: 'sweep',
    args: null,
    user: 'alice',
    description: null,
    project: null,
    attributes: null,
    env: {},
    autoscaler: null,
    recovery: null,
    parent_workflow_key: null,
    run_id: 1,
    status: 'running',
    num_jobs: Object.values(all).reduce((sum, n) => sum + n, 0),
    num_done: all.done,
    num_failed: failed,
    num_canceled: all.canceled,
    num_terminated: all.terminated,
    num_ready: all.ready,
    num_running: all.submitted + all.submitted_pending,
    num_blocked: all.blocked,
    is_paused: false,
    is_archived: false,
    stdio: 'files',
    pin: false,
    execution: 'direct',
    max_losses: 3,
    max_dynamic_jobs: 100_000,
    max_failures: null,
    max_concurrent_jobs: null,
    timeout_seconds: null,
    cut_off_by: null,
    termination_signal: 'SIGTERM',
    sigterm_lead_seconds: 30,
    base_directory: '/w',
    created_at: '2026-01-02T03:04:05.678Z',
    started_at: null,
    ended_at: null,
    metadata: null,
    counts: all,
    num_open_actions: 0,
    num_open_notifications: 0,
    num_late_notifications: 0,
    num_failed_notifications: 0,
    notification_error: null,
    num_failed_actions: 0,
    num_lost: 0,
    num_active_workers: 1,
    ...more,
  };
}

describe('progress', () => {
  function progressOf(isShown: boolean, delayMs: number) {
    const clock = fakeClock();
    const written: string[] = [];
    const err = (text: string) => void written.push(text);
    return { clock, written, progress: createProgress({ clock, isShown, columns: () => 20, err, delayMs }) };
  }

  it('shows nothing in a pipe', () => {
    const { clock, written, progress } = progressOf(false, 0);
    progress.update('1 of 2');
    clock.move(10_000);
    progress.update('2 of 2');
    progress.clear();
    expect(written).toEqual([]);
  });

  it('starts after the delay, is redrawn at most ten times a second, and is removed at the end', () => {
    const { clock, written, progress } = progressOf(true, 2000);
    progress.update('too early');
    clock.move(2000);
    progress.update('first');
    clock.move(50);
    progress.update('too soon');
    clock.move(50);
    progress.update('a text that is longer than the terminal is wide');
    progress.clear();
    progress.clear();
    expect(written).toEqual(['\r\x1b[Kfirst', '\r\x1b[Ka text that is lon…', '\r\x1b[K']);
  });

  it('estimates from what this run has done', () => {
    const workflow = shown({ done: 60, failed: 2, submitted: 8, ready: 32 });
    expect(runLine(workflow, 50, 10)).toBe('60/100 done, 8 running, 2 failed, 50 s, 1.0 jobs/s, about 40 s left');
    expect(runLine(shown({ ready: 5 }), 0, 0)).toBe('0/5 done, 0 running, 0.0 s');
    expect(runLine(shown({ submitted: 1, submitted_pending: 4 }), 0, 0)).toBe('0/5 done, 5 with workers, 0.0 s');
    expect(runLine(shown({ done: 5 }), 10, 0)).toBe('5/5 done, 0 running, 10 s, 0.5 jobs/s');
  });

  it('counts as done what lists count as done; what never runs is not left either', () => {
    const workflow = shown({ done: 6, failed: 1, canceled: 3, disabled: 1, submitted: 2, ready: 8 });
    expect(runLine(workflow, 10, 0)).toBe(
      '6/20 done, 2 running, 1 failed, 3 canceled, 10 s, 1.0 jobs/s, about 10 s left',
    );
  });

  it('in a pipe a line comes at each tenth and every 30 seconds, and none at the end', () => {
    const pace = new PipePace();
    const looks = [
      [0.05, 0],
      [0.09, 1],
      [0.31, 2],
      [0.35, 31],
      [0.36, 32],
      [0.41, 33],
      [1, 90],
    ] as const;
    expect(looks.map(([share, seconds]) => pace.isDue(share, seconds))).toEqual([
      ...[false, false, true, false],
      ...[true, true, false],
    ]);
  });

  it('in a pipe it is told on stderr, and not with JSON', async () => {
    let now = 0;
    const after: Clock['after'] = (_, call) => {
      setImmediate(call);
      return () => {};
    };
    const clock: Clock = { now: () => now, monotonic: () => now, after };
    const told = async (options: GlobalOptions): Promise<string> => {
      now = 0;
      const terminal = fakeTerminal(false);
      let done = 0;
      const call = async () => {
        now += 1000;
        done = Math.min(9, done + 1);
        return shown({ done, ready: 10 - done });
      };
      const stop = followRun({ ...fakeContext(terminal, options), clock }, { call } as unknown as Api, '7');
      for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
      await stop();
      return terminal.stderr.join('');
    };
    expect((await told({})).split('\n').slice(0, 2)).toEqual([
      '2/10 done, 0 running, 2.0 s, 0.5 jobs/s, about 16 s left',
      '3/10 done, 0 running, 3.0 s, 0.7 jobs/s, about 11 s left',
    ]);
    expect(await told({ outputFormat: 'json' })).toBe('');
    expect(await told({ consoleLevel: 'warning' })).toBe('');
  });

  it('says once what a run waits for that stands still until somebody does something', async () => {
    let now = 0;
    const after: Clock['after'] = (_, call) => {
      setImmediate(call);
      return () => {};
    };
    const terminal = fakeTerminal(false);
    const heldBack = [
      { num_jobs: 2, reason: { code: 'workflow_paused' }, text: '2 jobs wait; the workflow is paused' },
      { num_jobs: 1, reason: { code: 'no_worker' }, text: '1 job waits for a worker; there is none' },
    ];
    const called: string[] = [];
    const call = async (endpoint: string) => {
      now += 1000;
      called.push(endpoint);
      // the second half of the looks: the same again after a job has run
      const done = called.length > 40 ? 2 : 1;
      if (endpoint === 'workflow_show') return shown({ done, ready: 4 - done });
      return { workflow: { workflow_key: '7', held_back: heldBack } };
    };
    const clock: Clock = { now: () => now, monotonic: () => now, after };
    const stop = followRun({ ...fakeContext(terminal), clock }, { call } as unknown as Api, '7');
    for (let turns = 0; turns < 200; turns++) await new Promise((resolve) => setImmediate(resolve));
    await stop();
    expect(called.filter((endpoint) => endpoint === 'workflow_status')).toHaveLength(2);
    const told = terminal.stderr.join('');
    expect(told.match(/workflow 7: 2 jobs wait; the workflow is paused: torc workflows resume 7\n/g)).toHaveLength(1);
    expect(told).not.toContain('waits for a worker');
  });

  it('counts what ends from now on, and not the jobs that were disabled or canceled before', async () => {
    const terminal = fakeTerminal(true);
    const before = shown({ done: 2, canceled: 3, disabled: 40, terminated: 1, ready: 10 });
    const api = { call: async () => before } as unknown as Api;
    const stop = followRun(fakeContext(terminal), api, '7');
    const numDrawn = () => terminal.stderr.join('').match(/2\/56 done/g)?.length ?? 0;
    // no rate is known when it is drawn first
    await expect.poll(numDrawn).toBeGreaterThan(1);
    await stop();
    // the line is cut to the terminal's width
    expect(terminal.stderr.join('')).not.toMatch(/ jobs?/);
  });
});

describe('summary', () => {
  it.each([
    ['done', 0],
    ['failed', 1],
    ['canceled', 1],
    ['ready', 1],
    ['running', 1],
    ['timeout', 8],
  ] as const)('of a workflow that is %s ends with %i', (status, exitCode) => {
    expect(exitCodeOf(summaryOf(shown({}, { status }), 1, '/out', 0))).toBe(exitCode);
  });

  it('counts what has not run and prints numbers for programs', () => {
    const counts = { done: 3, failed: 1, canceled: 1, terminated: 1, ready: 2, blocked: 1 };
    expect(summaryOf(shown(counts, { status: 'failed' }), 2.00049, '/out', 1)).toEqual({
      workflow_key: '7',
      name: 'sweep',
      cut_off_by: null,
      run_id: 1,
      status: 'failed',
      num_jobs: 8,
      num_done: 3,
      num_failed: 1,
      num_canceled: 1,
      num_terminated: 1,
      num_unfinished: 3,
      num_ended_here: 3,
      num_failed_actions: 0,
      num_lost: 0,
      elapsed_seconds: 2,
      jobs_per_second: 1.5,
      output_directory: '/out',
      stdio: 'files',
    });
  });

  it('counts a lost job once', () => {
    const lost = summaryOf(shown({ submitted: 2, blocked: 1 }, { status: 'failed', num_lost: 2 }), 1, '/out', 0);
    expect(lost).toMatchObject({ num_lost: 2, num_unfinished: 1 });
  });

  it('of a further run counts that run', () => {
    const context = fakeContext(fakeTerminal());
    const again = summaryOf(shown({ done: 121 }, { status: 'done', run_id: 2 }), 4, '/out', 113);
    expect(summaryText(context, again, { groups: [] })).toContain('121 (8 of them now)\n');
    expect(summaryText(context, again, { groups: [] })).toContain(' (2 jobs/s)\n');
    const first = summaryOf(shown({ done: 121 }, { status: 'done' }), 4, '/out', 0);
    expect(summaryText(context, first, { groups: [] })).toContain('121\n');
  });

  const failedJob = {
    ...{ job_key: '4', job_name: 'a\nb', run_id: 1, attempt_id: 2, return_code: 3, cause: 'exit_code' },
    ...{ detail: null, hostname: 'n1', command: 'python a.py\nmore', log_kind: 'files', stderr_path: '/e.err' },
    stderr_tail: ['\x1b[2JValueError: x'],
  };
  const group = { cause: 'exit_code', return_code: 3, num_jobs: 12, first_job_keys: ['4'] };

  it('tells programs how jobs failed, and the first of them in the order of their keys, lost ones first', () => {
    const summary = summaryOf(shown({ done: 1, failed: 1 }, { status: 'failed' }), 1, '/out', 0);
    const lost = { ...failedJob, job_key: '9', cause: null, return_code: null };
    const groups = [
      { ...group, shown: [{ ...failedJob, job_key: '10' }, failedJob] },
      { ...group, cause: null, return_code: null, num_jobs: 1, shown: [lost] },
    ];
    const value = summaryValue(summary, { groups }) as { failed_jobs: { job_key: string }[]; failures: object[] };
    expect(value.failed_jobs.map(({ job_key }) => job_key)).toEqual(['9', '4', '10']);
    expect(value.failures).toEqual([
      { cause: 'exit_code', return_code: 3, num_jobs: 12 },
      { cause: null, return_code: null, num_jobs: 1 },
    ]);
  });

  it('shows a failed job with its command and last lines, harmless, and commands that find this directory again', () => {
    const context = fakeContext(fakeTerminal(), { dir: "/my dir's" });
    const summary = summaryOf(shown({ done: 12, failed: 12 }, { status: 'failed' }), 1, '/out', 0);
    const text = summaryText(context, summary, { groups: [{ ...group, shown: [failedJob] }] });
    const torc = "torc --dir '/my dir'\\''s'";
    expect(text).toContain(`
12 jobs failed with return code 3 (exit_code):
  a\\nb (job 4), attempt 2 on n1
    $ python a.py ..
    | \\x1b[2JValueError: x
    stderr: /e.err
  .. and 11 more: ${torc} jobs list -k 7 --failed -f cause=exit_code -f return_code=3
`);
    expect(text).toContain(`${torc} rerun-failed 7 --run\n`);
  });

  it('shows one job of each kind of failure before a second one', () => {
    expect(shareOut([100, 1, 2], 5)).toEqual([2, 1, 2]);
    expect(shareOut([100, 100], 5)).toEqual([3, 2]);
    expect(shareOut([1], 5)).toEqual([1]);
    expect(shareOut([9, 9, 9], 2)).toEqual([1, 1, 0]);
  });

  it('the last lines are those that say something; of a line drawn over, what is left', () => {
    expect(lastLines('a\nb\n\nc  \n 10%\r 100%\r\n\n')).toEqual(['b', 'c', ' 100%']);
    expect(lastLines('')).toEqual([]);
  });
});

describe('the worker of a local run', () => {
  it('gets the options as typed, so that values with dashes stay values', () => {
    expect(workerWords({ output: '-o dir', maxParallelJobs: 2, waitForNewJobs: 0 })).toEqual([
      '--output=-o dir',
      '--max-parallel-jobs=2',
      '--wait-for-new-jobs=0',
    ]);
  });

  it('passes on its own error, or says that it died', () => {
    const line = JSON.stringify({ error: { code: 'not_found', message: 'no workflow', hint: null } });
    expect(workerError(`a warning\n${line}\n`, { code: 3, signal: null }, 'look')).toMatchObject({
      code: 'not_found',
      message: 'no workflow',
    });
    expect(workerError('', { code: null, signal: 'SIGKILL' }, 'look')).toMatchObject({
      code: 'unusable',
      message: 'the worker died (SIGKILL)',
      hint: 'look',
    });
    expect(workerError('{"error":broken', { code: 1, signal: null }, 'look')).toMatchObject({
      code: 'bug',
      message: expect.stringContaining('{"error":broken'),
    });
  });
});

describe('words for a shell', () => {
  it.each([
    ['plain-1.0/x', 'plain-1.0/x'],
    ['', "''"],
    ['a b', "'a b'"],
    ["it's", "'it'\\''s'"],
    ['$HOME', "'$HOME'"],
  ])('%j becomes %s', (word, quoted) => {
    expect(shellWord(word)).toBe(quoted);
  });
});
