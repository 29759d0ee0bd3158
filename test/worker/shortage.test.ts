/** A node that has no process, descriptor or memory left for another job. */
import { stat } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { openHelperSpawner } from '../../src/worker/processes/helper-spawner.ts';
import { openNodeSpawner } from '../../src/worker/processes/node-spawner.ts';
import type { Spawner } from '../../src/worker/processes/spawner.ts';
import { FakeServer } from './fake-server.ts';
import { startWorker } from './run.ts';

/** Starts at most so many at a time, as a limit of the system would. */
function limited(most: number, code: string): Spawner {
  const options = {
    clock: systemClock,
    log: silentLog,
    environment: process.env,
    openFiles: null,
    outputDirectory: '/',
  };
  const spawner = openHelperSpawner({ ...options, fallback: openNodeSpawner(100, process.env, null, '/') });
  let numRunning = 0;
  return {
    queue: null,
    spawn(request, listener) {
      if (numRunning >= most) {
        setImmediate(() => listener.failed(code, `${code}: cannot start or open bash`));
        return;
      }
      numRunning += 1;
      spawner.spawn(request, {
        ...listener,
        exited: (end) => {
          numRunning -= 1;
          listener.exited(end);
        },
      });
    },
    close: () => spawner.close(),
  };
}

function recorded(): { log: Log; warnings: string[] } {
  const warnings: string[] = [];
  return { log: { ...silentLog, warn: (_, message) => warnings.push(message) }, warnings };
}

it.each(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])(
  'runs fewer jobs at a time when a start fails with %s',
  async (code) => {
    const server = new FakeServer();
    server.slots = 12;
    server.givesAgain = true;
    server.add(...Array.from({ length: 24 }, () => ({ command: 'sleep 0.2' })));
    const { log, warnings } = recorded();
    const worker = startWorker(server, {}, log, limited(5, code));
    expect(await worker.exit).toMatchObject({ numFailed: 0 });
    const attempts = [...server.attempts.values()];
    const ended = attempts.filter(({ finished }) => finished !== null);
    expect(ended.map(({ finished }) => finished?.return_code)).toEqual(new Array(24).fill(0));
    expect(attempts.length).toBeGreaterThan(24);
    expect(attempts.filter(({ isReturned }) => isReturned)).toHaveLength(attempts.length - 24);
    expect(Math.max(...server.seen.map((request) => request.max_parallel_jobs ?? 0))).toBe(5);
    expect(warnings.filter((text) => text.includes('fewer jobs at a time'))).toHaveLength(1);
  },
);

it('still fails a job that cannot be started for a reason of its own', async () => {
  const server = new FakeServer();
  server.add({ command: 'true' });
  const worker = startWorker(server, {}, silentLog, limited(0, 'EACCES'));
  expect(await worker.exit).toMatchObject({ numJobs: 1, numFailed: 1 });
  expect(server.ofJob('1').finished).toMatchObject({ return_code: 126, cause: 'spawn_error' });
});

it('stops a job whose shell could not fork, and does not count it as failed', async () => {
  const server = new FakeServer();
  server.slots = 1;
  const words = 'bash: fork: retry: Resource temporarily unavailable\\nbash: fork: Resource temporarily unavailable\\n';
  server.add(
    { command: `printf '${words}' >&2; exit 254` },
    { command: `printf 'fork: no\\n' >&2; exit 254` },
    { command: `printf '${words}more\\n' >&2; exit 254` },
  );
  const worker = startWorker(server);
  expect(await worker.exit).toMatchObject({ numFailed: 2 });
  expect(server.ofJob('1').finished).toMatchObject({ status: 'terminated', cause: 'spawn_error', return_code: null });
  for (const key of ['2', '3']) expect(server.ofJob(key).finished).toMatchObject({ status: 'done', return_code: 254 });
});

it('waits for no pipe that has taken the place of standard error', async () => {
  const server = new FakeServer();
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell puts the key in
  const path = '"$TORC_OUTPUT_DIR/job_stdio/0000/job_${TORC_JOB_KEY}_run_1_attempt_1.err"';
  // more than there are threads for files
  server.add(...Array.from({ length: 6 }, () => ({ command: `rm ${path}; mkfifo ${path}; exit 254` })));
  expect(await startWorker(server).exit).toMatchObject({ numJobs: 6, numFailed: 6 });
  // a thread is free
  await stat('/');
});
