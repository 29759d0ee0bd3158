/** The worker's small decisions: what may start, when it ends, when to measure a job, which kills memory explains. */
import { describe, expect, it } from 'vitest';
import type { Assignment } from '../../src/api/contract.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { MemoryUser } from '../../src/model/decide/out-of-memory.ts';
import { checkpointMs, leastTimeMs, longestRuntimeMs, untilLatestEndMs } from '../../src/model/decide/time-left.ts';
import { Admission } from '../../src/worker/admission.ts';
import { Deadline, reasonOfSlurmSignal } from '../../src/worker/deadline.ts';
import { decide, type LifeState } from '../../src/worker/lifetime.ts';
import { checkpointGraceMs } from '../../src/worker/processes/grace.ts';
import type { GivenJob } from '../../src/worker/processes/job-runner.ts';
import { type OomVerdict, OomWatch } from '../../src/worker/processes/oom-watch.ts';
import { isGrowthNews, UsageMeter } from '../../src/worker/processes/usage.ts';
import { assignment, defaultSettings } from '../worker/fake-server.ts';

describe('admission', () => {
  const job = (attempt: number, num_cpus: number, memory_bytes = 1) =>
    assignment({ attempt, job_key: String(attempt), command: 'true', num_cpus, memory_bytes });

  it('keeps the order given and never exceeds the capacity', () => {
    const admission = new Admission({ numCpus: 4, memoryBytes: 100, maxParallelJobs: null });
    for (const given of [job(1, 2, 60), job(2, 1, 50), job(3, 1, 10)]) admission.add(given);
    expect(admission.next()?.attempt).toBe(1);
    // the third would fit, but the second was first
    expect(admission.next()).toBeNull();
    admission.release(1);
    admission.release(1);
    expect(admission.next()?.attempt).toBe(2);
    expect(admission.next()?.attempt).toBe(3);
    expect([admission.next(), admission.numWaiting]).toEqual([null, 0]);
  });

  it('limits the number of jobs, and never leaves an empty node idle', () => {
    const admission = new Admission({ numCpus: 8, memoryBytes: 100, maxParallelJobs: 1 });
    for (const given of [job(1, 64, 900), job(2, 1)]) admission.add(given);
    expect(admission.next()?.attempt).toBe(1);
    expect(admission.next()).toBeNull();
    admission.release(1);
    expect(admission.next()?.attempt).toBe(2);
  });

  it('counts a job of several nodes as all of this node or none of it', () => {
    const admission = new Admission({ numCpus: 4, memoryBytes: 100, maxParallelJobs: null });
    const elsewhere = { ...job(1, 4, 100), node_indices: [1, 2] };
    const here = { ...job(3, 1), node_indices: [0, 3] };
    for (const given of [elsewhere, job(2, 4, 100), here, job(4, 1)]) admission.add(given);
    expect([admission.next()?.attempt, admission.next()?.attempt, admission.next()]).toEqual([1, 2, null]);
    admission.release(2);
    expect([admission.next()?.attempt, admission.next()]).toEqual([3, null]);
    admission.release(3);
    expect(admission.next()?.attempt).toBe(4);
  });

  it('returns waiting jobs, and only those', () => {
    const admission = new Admission({ numCpus: 1, memoryBytes: 100, maxParallelJobs: null });
    for (const given of [job(1, 1), job(2, 1), job(3, 1)]) admission.add(given);
    admission.next();
    expect([admission.withdraw(1), admission.withdraw(2), admission.withdraw(2)]).toEqual([false, true, false]);
    expect(admission.withdrawAll().map(({ attempt }) => attempt)).toEqual([3]);
  });

  describe('queues jobs', () => {
    const yes = () => true;
    const opened = (...given: Assignment[]) => {
      const admission = new Admission({ numCpus: 2, memoryBytes: 100, maxParallelJobs: null });
      for (const each of given) admission.add(each);
      while (admission.next() !== null);
      return admission;
    };

    it('that need exactly what a running one has, and nothing overtakes them', () => {
      const admission = opened(job(1, 1), job(2, 1), job(3, 1), job(4, 1, 2), job(5, 1));
      expect(admission.nextToQueue(() => false)).toBeNull();
      expect(admission.nextToQueue(yes)?.attempt).toBe(3);
      // the fourth has another size, and the fifth comes after it
      expect([admission.nextToQueue(yes), admission.numWaiting]).toEqual([null, 3]);
      admission.place(3, 1);
      admission.release(1);
      expect([admission.next(), admission.nextQueued()]).toEqual([null, null]);
      admission.release(2);
      expect(admission.next()?.attempt).toBe(4);
      expect(admission.next()).toBeNull();
    });

    it('of one size at a time, so that none waits while later ones start', () => {
      const admission = opened(job(1, 1, 1), job(2, 1, 2), job(3, 1, 1), job(4, 1, 2), job(5, 1, 2));
      expect(admission.nextToQueue(yes)?.attempt).toBe(3);
      expect(admission.nextToQueue(yes)).toBeNull();
      admission.release(2);
      expect(admission.nextQueued()?.attempt).toBe(3);
      expect(admission.nextToQueue(yes)).toBeNull();
      expect(admission.next()).toBeNull();
    });

    it('and counts them as running once they are placed, whoever says so first', () => {
      const admission = opened(job(1, 2), job(2, 2), job(3, 2));
      expect(admission.nextToQueue(yes)?.attempt).toBe(2);
      expect(admission.nextQueued()).toBeNull();
      admission.release(1);
      expect(admission.nextQueued()?.attempt).toBe(2);
      expect(admission.place(2, 1)).toBeNull();
      expect([admission.next(), admission.numWaiting]).toEqual([null, 1]);
      admission.release(2);
      expect(admission.next()?.attempt).toBe(3);
    });

    it('and gives them the CPUs of the job before', () => {
      const topology = [[[0], [1], [2]]];
      const admission = new Admission({ numCpus: 3, memoryBytes: 100, maxParallelJobs: null, topology });
      const given = Array.from({ length: 6 }, (_, index): GivenJob => job(index + 1, 1));
      for (const each of given) admission.add(each);
      while (admission.next() !== null);
      const cpus = () => given.map((each) => each.cpus?.join() ?? '');
      while (admission.nextToQueue(yes) !== null);
      expect(cpus()).toEqual(['0', '1', '2', '', '', '']);
      admission.place(4, 2);
      admission.release(2);
      expect(cpus()).toEqual(['0', '', '2', '1', '', '']);
      // it seemed to have the room of the first, but had got that of the third already
      admission.release(1);
      expect(admission.nextQueued()?.attempt).toBe(5);
      expect(cpus()).toEqual(['', '', '2', '1', '0', '']);
      expect(admission.place(5, 3)).toBeNull();
      admission.release(3);
      expect(cpus()).toEqual(['', '', '', '1', '2', '']);
      expect(admission.nextQueued()?.attempt).toBe(6);
      expect(cpus()).toEqual(['', '', '', '1', '2', '0']);
    });

    it('but none with GPUs, on several nodes or with a checkpoint to write, and none while starts fail', () => {
      for (const more of [{ gpu_indices: [0] }, { node_indices: [0, 1] }, { supports_termination: true }]) {
        const [first, second] = [1, 2].map((attempt) => ({ ...job(attempt, 2), ...more }));
        expect(opened(first as Assignment, second as Assignment).nextToQueue(yes)).toBeNull();
      }
      const admission = opened(job(1, 2), job(2, 2));
      admission.mostJobs = 1;
      expect(admission.nextToQueue(yes)).toBeNull();
    });

    it('up to a number, and forgets one that is taken back', () => {
      const admission = opened(...Array.from({ length: 40 }, (_, index) => job(index + 1, 2)));
      const queued: number[] = [];
      for (let next = admission.nextToQueue(yes); next !== null; next = admission.nextToQueue(yes))
        queued.push(next.attempt);
      const first = Array.from({ length: 32 }, (_, index) => index + 2);
      expect(queued).toEqual(first);
      admission.release(3);
      expect(admission.queued.map(({ attempt }) => attempt)).toEqual(first.filter((attempt) => attempt !== 3));
      expect(admission.nextToQueue(yes)?.attempt).toBe(34);
    });
  });
});

describe('the latest end', () => {
  it('is earlier than the deadline by the buffer, or by a tenth of the walltime', () => {
    expect(untilLatestEndMs(3_600_000, 3_600_000, 180_000)).toBe(3_420_000);
    expect(untilLatestEndMs(600_000, 600_000, 180_000)).toBe(540_000);
    expect(untilLatestEndMs(100_000, 3_600_000, 180_000)).toBe(-80_000);
    expect(untilLatestEndMs(100_000, 3_600_000, 0)).toBe(100_000);
  });

  it('lets an allocation that has just begun take jobs as long as its walltime', () => {
    const hour = 3_600_000;
    expect(longestRuntimeMs(hour - 5_000, hour, 180_000)).toBeGreaterThanOrEqual(hour);
    expect(longestRuntimeMs(hour - 180_000, hour, 180_000)).toBeGreaterThanOrEqual(hour);
    expect(longestRuntimeMs(hour - 181_000, hour, 180_000)).toBe(hour - 361_000);
    expect(longestRuntimeMs(60_000, hour, 180_000)).toBe(-120_000);
    // Slurm rounds a walltime up to whole minutes
    expect(longestRuntimeMs(120_000, 61_000, 180_000)).toBe(113_900);
  });

  it('leaves a job that writes a checkpoint its lead and a minute, or half of a short walltime', () => {
    expect(leastTimeMs(30_000, 3_600_000)).toBe(90_000);
    expect(leastTimeMs(30_000, null)).toBe(90_000);
    expect(leastTimeMs(30_000, 120_000)).toBe(72_000);
    // it always fits into an allocation that has just begun
    for (const walltimeMs of [1_000, 60_000, 90_000, 120_000, 180_000, 1_800_000]) {
      for (const leadMs of [0, 30_000, 7_200_000]) {
        const leftMs = untilLatestEndMs(walltimeMs, walltimeMs, 180_000);
        expect(leastTimeMs(leadMs, walltimeMs)).toBeLessThan(leftMs);
      }
    }
  });

  it('gives a job that writes a checkpoint the lead of its workflow, and the worker 5 s', () => {
    expect(checkpointGraceMs(30_000, 1_000_000)).toBe(30_000);
    expect(checkpointGraceMs(30_000, null)).toBe(30_000);
    expect(checkpointGraceMs(30_000, 12_000)).toBe(7_000);
    expect(checkpointGraceMs(30_000, 3_000)).toBe(2_000);
    expect([checkpointMs(30_000, 3_600_000), checkpointMs(30_000, 60_000)]).toEqual([30_000, 6_000]);
  });

  it('comes after the signal for a checkpoint, where the buffer leaves no time for one', () => {
    let nowMs = 0;
    const clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
    const deadlineOf = (walltimeSeconds: number, bufferSeconds: number, leadSeconds: number) => {
      nowMs = 0;
      const identity = { slurmJobId: '1' };
      const options = { deadlineMs: walltimeSeconds * 1000, walltimeSeconds, identity };
      const deadline = new Deadline(options as never, clock);
      deadline.keepBuffer(bufferSeconds, leadSeconds);
      return deadline;
    };
    expect(deadlineOf(3600, 180, 30)).toMatchObject({ warnMs: null, latestEndMs: 3_420_000 });
    expect(deadlineOf(36_000, 180, 600)).toMatchObject({ warnMs: 35_395_000, latestEndMs: 35_820_000 });
    const short = deadlineOf(60, 180, 30);
    expect(short).toMatchObject({ warnMs: 49_000, latestEndMs: 54_000 });
    nowMs = 49_000;
    expect(short.checkpointGraceMs()).toBe(6_000);
    nowMs = 54_000;
    expect(short.checkpointGraceMs()).toBe(2_000);
  });
});

describe('a signal from Slurm', () => {
  const hour = 3_600_000;

  it('means the walltime near the end, and the end of the allocation long before', () => {
    expect(reasonOfSlurmSignal('terminate', 121_000, hour / 6)).toBe('allocation_ended');
    expect(reasonOfSlurmSignal('terminate', 120_000, hour / 6)).toBe('walltime');
    expect(reasonOfSlurmSignal('terminate', 10 * 60_000, 2 * hour)).toBe('walltime');
    expect(reasonOfSlurmSignal('terminate', 13 * 60_000, 2 * hour)).toBe('allocation_ended');
    expect(reasonOfSlurmSignal('terminate', -5, hour)).toBe('walltime');
  });

  it('means the walltime when it is the warning, or the end is unknown', () => {
    expect(reasonOfSlurmSignal('warning', hour, hour)).toBe('walltime');
    expect(reasonOfSlurmSignal('terminate', null, 0)).toBe('walltime');
  });
});

describe('the life of a worker', () => {
  const idle: LifeState = {
    phase: 'working',
    isDrained: false,
    numHeld: 0,
    numUnanswered: 0,
    latestEndMs: null,
    warnMs: null,
    idleSinceMs: 1_000,
    heldUntilMs: null,
    lostSinceMs: null,
    offer: 'known',
    settings: defaultSettings,
    waitForNewJobsSeconds: null,
    giveUpMs: Number.POSITIVE_INFINITY,
  };
  const wait = (untilMs: number) => ({ step: 'wait', untilMs });

  it('continues while there are jobs, whatever the server does', () => {
    expect(decide({ ...idle, numHeld: 1, lostSinceMs: 0 }, 10 ** 9)).toEqual(wait(Number.POSITIVE_INFINITY));
    expect(decide({ ...idle, numHeld: 1, latestEndMs: 500 }, 499)).toEqual(wait(500));
    expect(decide({ ...idle, numHeld: 1, latestEndMs: 500 }, 500)).toEqual({ step: 'end_jobs' });
    const warned = { ...idle, numHeld: 1, latestEndMs: 500, warnMs: 400 };
    expect(decide(warned, 399)).toEqual(wait(400));
    expect(decide(warned, 400)).toEqual({ step: 'warn_jobs' });
    expect(decide(warned, 500)).toEqual({ step: 'end_jobs' });
  });

  it('keeps an allocation until its end if the workflow says so, unless a person says how long', () => {
    const settings = { ...defaultSettings, ignore_workflow_completion: true };
    expect(decide({ ...idle, settings, latestEndMs: 500_000 }, 400_000)).toEqual(wait(500_000));
    expect(decide({ ...idle, settings, latestEndMs: 500_000 }, 500_000)).toEqual({ step: 'end_jobs' });
    expect(decide({ ...idle, settings }, 400_000)).toEqual({ step: 'leave', reason: 'idle' });
    const person = { waitForNewJobsSeconds: 5, latestEndMs: 500_000 };
    expect(decide({ ...idle, settings, ...person }, 400_000)).toEqual({ step: 'leave', reason: 'idle' });
  });

  it('is not idle while the server owes it an answer, which may bring work', () => {
    expect(decide({ ...idle, numUnanswered: 1 }, 10 ** 9)).toEqual(wait(Number.POSITIVE_INFINITY));
    expect(decide({ ...idle, numUnanswered: 1, latestEndMs: 500 }, 500)).toEqual({ step: 'end_jobs' });
  });

  it('stays for a held job, unless its own end comes first', () => {
    const person = { ...idle, waitForNewJobsSeconds: 0 };
    expect(decide({ ...person, heldUntilMs: 100_000 }, 109_999)).toEqual(wait(110_000));
    expect(decide({ ...person, heldUntilMs: 100_000 }, 110_000)).toEqual({ step: 'leave', reason: 'idle' });
    expect(decide({ ...person, heldUntilMs: 100_000, latestEndMs: 90_000 }, 2_000)).toEqual({
      step: 'leave',
      reason: 'idle',
    });
    // its usual waiting time may be longer
    expect(decide({ ...idle, heldUntilMs: 3_000 }, 20_000)).toEqual(wait(61_000));
  });

  it('leaves when it has been idle for the time set; its own setting overrides the workflow’s', () => {
    expect(decide(idle, 60_999)).toEqual(wait(61_000));
    expect(decide(idle, 61_000)).toEqual({ step: 'leave', reason: 'idle' });
    expect(decide({ ...idle, waitForNewJobsSeconds: 5 }, 6_000)).toEqual({ step: 'leave', reason: 'idle' });
    // even without a waiting time it waits for the first answer
    expect(decide({ ...idle, waitForNewJobsSeconds: 0 }, 1_500)).toEqual(wait(2_000));
    expect(decide({ ...idle, settings: null }, 10 ** 9)).toEqual(wait(Number.POSITIVE_INFINITY));
    expect(decide({ ...idle, latestEndMs: 30_000 }, 20_000)).toEqual(wait(30_000));
  });

  it('leaves only when the server has answered that it has no job', () => {
    expect(decide({ ...idle, offer: 'unknown' }, 60_999)).toEqual(wait(61_000));
    expect(decide({ ...idle, offer: 'unknown' }, 61_000)).toEqual({ step: 'ask' });
    expect(decide({ ...idle, offer: 'asked' }, 10 ** 9)).toEqual(wait(Number.POSITIVE_INFINITY));
    expect(decide({ ...idle, offer: 'asked', latestEndMs: 500_000 }, 500_000)).toEqual({ step: 'end_jobs' });
  });

  it('gives up a lost server after the time set, only when idle', () => {
    const lost = { ...idle, lostSinceMs: 5_000 };
    expect(decide(lost, 100_000)).toEqual(wait(5_000 + 20 * 60_000));
    expect(decide(lost, 5_000 + 20 * 60_000)).toEqual({ step: 'finish', reason: 'server_lost' });
    expect(decide({ ...lost, settings: null }, 5_000 + 20 * 60_000)).toEqual({ step: 'finish', reason: 'server_lost' });
  });

  it('ends in order: jobs, reports, itself', () => {
    expect(decide({ ...idle, phase: 'draining', numHeld: 1 }, 0)).toEqual(wait(Number.POSITIVE_INFINITY));
    expect(decide({ ...idle, phase: 'draining', numUnanswered: 1 }, 0)).toEqual({ step: 'leave', reason: null });
    expect(decide({ ...idle, phase: 'draining' }, 0)).toEqual({ step: 'finish', reason: 'complete' });
    const ending = { ...idle, phase: 'ending' as const, giveUpMs: 900 };
    expect(decide({ ...ending, numHeld: 1 }, 0)).toEqual(wait(900));
    expect(decide({ ...ending, numHeld: 1 }, 900)).toEqual({ step: 'leave', reason: null });
    expect(decide(ending, 0)).toEqual({ step: 'leave', reason: null });
    expect(decide({ ...ending, phase: 'leaving' }, 899)).toEqual(wait(900));
    expect(decide({ ...ending, phase: 'leaving' }, 900)).toEqual({ step: 'finish', reason: null });
  });
});

describe('what a job used', () => {
  it('is null before the first measurement', () => {
    expect(new UsageMeter().totals(100, null)).toEqual({
      peakMemoryBytes: null,
      averageMemoryBytes: null,
      cpuMs: null,
    });
    expect(new UsageMeter().totals(100, 12.4).cpuMs).toBe(12);
  });

  it('is averaged over time, not over measurements', () => {
    const meter = new UsageMeter();
    meter.add(0, 100, 5);
    meter.add(900, 1_000, 4);
    expect(meter.latest).toEqual({ memoryBytes: 1_000, cpuMs: 5 });
    expect(meter.totals(1_000, null)).toEqual({ peakMemoryBytes: 1_000, averageMemoryBytes: 190, cpuMs: 5 });
    expect(meter.totals(900, 77)).toMatchObject({ averageMemoryBytes: 100, cpuMs: 77 });
    const once = new UsageMeter();
    once.add(50, 300, 0);
    expect(once.totals(50, null).averageMemoryBytes).toBe(300);
  });

  it('is measured soon, then less often, and often near the limit', () => {
    const meter = new UsageMeter();
    expect(meter.nextLookMs(0, 0, null)).toBe(50);
    meter.add(50, 100, 0);
    expect(meter.nextLookMs(0, 50, null)).toBe(100);
    expect(meter.nextLookMs(0, 400, null)).toBe(800);
    expect(meter.nextLookMs(0, 60_000, null)).toBe(61_000);
    expect(meter.nextLookMs(0, 60_000, 200)).toBe(61_000);
    expect(meter.nextLookMs(0, 60_000, 199)).toBe(60_125);
  });
});

describe('memory that is reported at once', () => {
  const news = (peakBytes: number, sampledBytes: number, requested: number, capacity: number) =>
    isGrowthNews({ peakBytes, sampledBytes }, requested, capacity);

  it('is above the request and a sixteenth of the node, whichever is more', () => {
    expect([news(99, 0, 100, 160), news(100, 0, 100, 160)]).toEqual([false, true]);
    expect([news(99, 0, 10, 1600), news(100, 0, 10, 1600)]).toEqual([false, true]);
    expect(news(0, 0, 0, 0)).toBe(false);
  });

  it('has grown by half since the last sample', () => {
    expect([news(149, 100, 10, 160), news(150, 100, 10, 160)]).toEqual([false, true]);
  });
});

describe('deaths by SIGKILL', () => {
  function watch() {
    let nowMs = 0;
    let count: number | null = 0;
    let due: { atMs: number; call: () => void } | null = null;
    const clock: Clock = {
      now: () => nowMs,
      monotonic: () => nowMs,
      after(delayMs, call) {
        due = { atMs: nowMs + delayMs, call };
        return () => {};
      },
    };
    const oom = new OomWatch(clock, () => count);
    const verdicts: Record<number, boolean | string> = {};
    const running: MemoryUser[] = [];
    const memory = { users: () => running, capacityBytes: 1600 };
    const user = (attempt: number, peakMemoryBytes: number | null, requestedMemoryBytes: number): MemoryUser => {
      return { attempt, jobName: `job ${attempt}`, peakMemoryBytes, requestedMemoryBytes, isMemoryStated: true };
    };
    return {
      kill: (kills: number | null) => {
        count = kills === null ? null : (count ?? 0) + kills;
      },
      look: (atMs: number) => {
        nowMs = atMs;
        oom.look();
      },
      die: (attempt: number, peakMemoryBytes: number | null, requestedMemoryBytes = 100) => {
        const verdict = ({ isOomVictim, memoryTakenBy }: OomVerdict) => {
          verdicts[attempt] = memoryTakenBy ?? isOomVictim;
        };
        oom.ended({ ...user(attempt, peakMemoryBytes, requestedMemoryBytes), verdict }, true, memory);
      },
      run: (attempt: number, peak: number, requested: number) => running.push(user(attempt, peak, requested)),
      end: (attempt: number, peak: number, requested: number) => {
        oom.ended({ ...user(attempt, peak, requested), verdict: () => {} }, false, memory);
      },
      judge: () => {
        nowMs = due?.atMs ?? nowMs;
        due?.call();
        return verdicts;
      },
    };
  }

  it('are attributed to memory only when the kernel counted a kill', () => {
    const world = watch();
    world.die(1, 10_000);
    expect(world.judge()).toEqual({ 1: false });
    world.look(12_000);
    world.die(2, 10);
    world.kill(1);
    expect(world.judge()).toMatchObject({ 2: true });
    world.die(3, 10_000);
    expect(world.judge()).toMatchObject({ 3: false });
  });

  it('at the same time are distinguished by how much of the request was used', () => {
    const world = watch();
    world.die(1, 150);
    world.die(2, 300);
    world.kill(1);
    expect(world.judge()).toEqual({ 1: false, 2: true });
  });

  it('for memory that another job had taken are put down to that one: it runs, or has ended just before', () => {
    const world = watch();
    world.run(9, 500, 200);
    world.die(1, 90);
    world.kill(1);
    expect(world.judge()).toEqual({ 1: 'job 9' });

    const other = watch();
    other.end(8, 500, 200);
    other.die(1, 90);
    other.die(2, 900);
    other.kill(2);
    expect(other.judge()).toEqual({ 1: 'job 2', 2: true });
    other.look(20_000);
    other.die(3, 90);
    other.kill(1);
    expect(other.judge()).toMatchObject({ 3: true });
    other.end(7, 500, 200);
    other.die(4, 90);
    expect(other.judge()).toMatchObject({ 4: false });
  });

  it('are not attributed to an old kill, which its job survived', () => {
    const world = watch();
    world.kill(1);
    world.look(1_000);
    world.look(12_000);
    world.die(1, 10_000);
    expect(world.judge()).toEqual({ 1: false });
    world.kill(1);
    world.look(13_000);
    world.die(2, 10_000);
    expect(world.judge()).toMatchObject({ 2: true });
  });

  it('are not attributed by a kernel that does not count kills', () => {
    const world = watch();
    world.kill(null);
    world.die(1, 10_000);
    expect(world.judge()).toEqual({ 1: false });
  });
});
