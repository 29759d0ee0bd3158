/** What the runner of jobs makes of the end of a process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { FinishedAttempt } from '../../src/worker/processes/job-runner.ts';
import { OomWatch } from '../../src/worker/processes/oom-watch.ts';
import { ProcessRunner } from '../../src/worker/processes/process-runner.ts';
import { ProcessTable } from '../../src/worker/processes/process-table.ts';
import { type Spawner, unknownEnd } from '../../src/worker/processes/spawner.ts';
import { assignment } from '../worker/fake-server.ts';

it('kills a process whose starter has ended, although nothing else has been started since', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'torc-runner-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const clock = systemClock;
  const table = new ProcessTable({ workerId: 'w', slurmJobId: null }, '/proc', () => child.pid ?? 0);
  table.scan(clock.monotonic());
  const spawner: Spawner = {
    queue: null,
    spawn(_, listener) {
      queueMicrotask(() => {
        listener.started(child.pid ?? 0);
        listener.exited(unknownEnd);
      });
    },
    close() {},
  };
  let tell: (finished: FinishedAttempt) => void = () => {};
  const finished = new Promise<FinishedAttempt>((resolve) => {
    tell = resolve;
  });
  const nothing = () => {};
  const events = { started: nothing, placed: nothing, freed: nothing, unstarted: nothing, grown: nothing, ended: tell };
  const runner = new ProcessRunner(events, {
    ...{ clock, log: silentLog, spawner, table, capacityBytes: 2 ** 30 },
    units: { pageBytes: 4096, ticksPerSecond: 100 },
    oomWatch: new OomWatch(clock, () => null),
    launch: {
      ...{ workerId: 'w', workflowKey: '1', directory, outputDirectory: directory, dataDirectory: directory },
      ...{ pins: false, hasThreads: false, gpuIds: [], gpuMaker: 'nvidia', nodeNames: ['here'] },
      ...{ rawVariables: new Map(), fileVariables: () => ({}), steps: { problem: 'no' }, notAsStep: nothing },
    },
  });
  onTestFinished(() => runner.close());
  runner.start(assignment({ attempt: 1, job_key: '1', command: 'sleep 300' }));
  expect((await finished).end).toMatchObject({ status: 'terminated', cause: 'worker_lost' });
  expect(await exited).toEqual([null, 'SIGKILL']);
});
