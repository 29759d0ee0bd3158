/** Fork servers that do what they should not: no job is lost, runs twice, or counts as done without having run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { type ProcessEnd, type Spawner, unknownEnd } from '../../src/worker/processes/spawner.ts';
import { openWarmSpawner } from '../../src/worker/processes/warm-spawner.ts';
import { FakeClock } from '../support/fake-machine.ts';

/** The jobs that start without a fork server. */
const cold: string[] = [];

const spawner: Spawner = {
  queue: null,
  spawn({ text }, listener) {
    cold.push(text);
    queueMicrotask(() => listener.exited({ ...unknownEnd, exitCode: 0 }));
  },
  close() {},
};

interface Ended {
  pid: number | null;
  end: ProcessEnd;
}

/** How a job of this fork server ends, and the pid that it was said to have. */
function run(warm: string, variables: Record<string, string> = {}, clock: Clock = systemClock): Promise<Ended> {
  return starter(clock)(warm, variables);
}

/** Starts jobs of one worker. */
function starter(clock: Clock): (warm: string, variables?: Record<string, string>) => Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'torc-warm-test-'));
  const warmSpawner = openWarmSpawner({
    ...{ clock, log: silentLog, environment: process.env, openFiles: null },
    spawner,
  });
  onTestFinished(() => {
    warmSpawner.close();
    rmSync(folder, { recursive: true, force: true });
  });
  cold.length = 0;
  return (warm, variables = {}) =>
    new Promise((resolve, reject) => {
      let pid: number | null = null;
      warmSpawner.spawn(
        {
          ...{ attempt: 1, text: 'true', place: '', cpus: null, isBound: false, variables, warm },
          ...{ stdoutPath: join(folder, 'out'), stderrPath: join(folder, 'err') },
        },
        {
          started: (said) => {
            pid = said;
          },
          placed() {},
          withdrawn() {},
          failed: (_, message) => reject(new Error(message)),
          exited: (end) => resolve({ pid, end }),
        },
      );
    });
}

/**
 * Counts what it was asked to call later: first the ends of a start that takes too long for the server and for its jobs,
 * then a look at one that is ready.
 */
class CountingClock extends FakeClock {
  numPlanned = 0;
  override after(delayMs: number, call: () => void): () => void {
    this.numPlanned++;
    return super.after(delayMs, call);
  }
}
const numPlannedWhenReady = 3;

it('an environment that is too long for the system starts jobs without a fork server', async () => {
  const { end } = await run('echo ready; cat >/dev/null', { LONG: 'x'.repeat(200_000) });
  expect(end.exitCode).toBe(0);
  expect(cold).toEqual(['true']);
});

it.each([
  ['an end without numbers', 'echo ready; echo pid 1 4000000; echo end 1; cat >/dev/null', 4_000_000],
  ['a status that is no number', 'echo ready; echo end 1 ok 1 1.0 gone - 1; cat >/dev/null', null],
  ['the pid of all processes', 'echo ready; echo pid 1 -1; cat >/dev/null', null],
  ['no pid', 'echo ready; echo pid 1; cat >/dev/null', null],
  ['a line without end', 'echo ready; head -c 100000 /dev/zero; cat >/dev/null', null],
])('%s ends the fork server, and the end of its job is unknown', async (_, warm, pid) => {
  expect(await run(warm)).toEqual({ pid, end: unknownEnd });
  expect(cold).toEqual([]);
});

it('a job that waits for a fork server that is not ready starts without it, and is not given to it later', async () => {
  const clock = new CountingClock();
  const folder = mkdtempSync(join(tmpdir(), 'torc-warm-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // answers the first request that it gets once it is ready
  const serve = 'head -c 1 >/dev/null; echo pid 1 4000000; echo end 1 0 1 1.0 gone - 1';
  const warm = `until test -e '${folder}/go'; do sleep 0.05; done; echo ready; ${serve}; cat >/dev/null`;
  const start = starter(clock);
  const first = start(warm);
  await clock.advance(9_000);
  expect(cold).toEqual([]);
  await clock.advance(1_000);
  expect((await first).end.exitCode).toBe(0);
  expect(cold).toEqual(['true']);
  // those that follow do not wait
  expect((await start(warm)).end.exitCode).toBe(0);
  expect(cold).toEqual(['true', 'true']);
  writeFileSync(join(folder, 'go'), '');
  await expect.poll(() => clock.numPlanned, { timeout: 60_000 }).toBe(numPlannedWhenReady);
  expect(await start(warm)).toMatchObject({ pid: 4_000_000, end: { exitCode: 0 } });
  expect(cold).toEqual(['true', 'true']);
});

it.each([
  ['missing', ''],
  ['no number', ' soon'],
  ['long ago', ' 1.5'],
  ['in the future', ' 999999999999999'],
])('an instant that is %s in what a fork server says counts as now', async (_, instant) => {
  const serve = `echo pid 1 4000000${instant}; echo end 1 0 1 1.0 gone - 1${instant}`;
  const { pid, end } = await run(`echo ready; head -c 1 >/dev/null; ${serve}; cat >/dev/null`);
  expect([pid, end.exitCode, end.atMs]).toEqual([4_000_000, 0, null]);
});

it('a job whose fork server ends before it is ready starts without it at once', async () => {
  const { end } = await run('exit 1', {}, new FakeClock());
  expect(end.exitCode).toBe(0);
  expect(cold).toEqual(['true']);
});

it.each([
  ['leaves a request unanswered', "printf 'ready\\n'", null],
  ['does not say that a process has ended', "printf 'ready\\npid 1 4000000\\n'", 4_000_000],
])('a fork server that %s is killed after a while, and the end of its job is unknown', async (_, says, pid) => {
  const clock = new CountingClock();
  let ended: { pid: number | null; end: ProcessEnd } | null = null;
  const running = run(`${says}; cat >/dev/null`, {}, clock).then((it) => {
    ended = it;
  });
  await expect.poll(() => clock.numPlanned, { timeout: 60_000 }).toBe(numPlannedWhenReady);
  await clock.advance(60_000);
  expect(ended).toBeNull();
  await clock.advance(60_000);
  await running;
  expect(ended).toEqual({ pid, end: unknownEnd });
  expect(cold).toEqual([]);
});

it('a fork server whose job takes long is left alone', async () => {
  const clock = new CountingClock();
  const folder = mkdtempSync(join(tmpdir(), 'torc-warm-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const job = `until test -e '${folder}/go'; do sleep 0.05; done`;
  const end = `wait; echo 'end 1 0 1 1.0 gone - 1'`;
  const running = run(`(${job}) & printf 'ready\\npid 1 %d\\n' $!; ${end}; cat >/dev/null`, {}, clock);
  await expect.poll(() => clock.numPlanned, { timeout: 60_000 }).toBe(numPlannedWhenReady);
  await clock.advance(600_000);
  writeFileSync(join(folder, 'go'), '');
  expect((await running).end.exitCode).toBe(0);
  expect(cold).toEqual([]);
});
