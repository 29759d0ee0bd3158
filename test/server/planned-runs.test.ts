/**
 * What the planner predicts against what the real server does with workers that have the true runtimes: random workloads, on
 * a clock that jumps from event to event.
 */
import { expect, it } from 'vitest';
import type { ExchangeReply, Request } from '../../src/api/contract.ts';
import { untilLatestEndMs } from '../../src/model/decide/time-left.ts';
import { buildGraph } from '../../src/model/graph/graph.ts';
import { noLabels } from '../../src/model/labels.ts';
import { groupsOf, type JobGroup, type PlannedShape } from '../../src/model/plan/groups.ts';
import { offerOf } from '../../src/model/plan/places.ts';
import { type AllocationPlan, type PlannedAllocations, planAllocations } from '../../src/model/plan/plan.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { createWorkflow, finished, freshService, type TestJob, TestWorker } from '../support/service.ts';
import { siteExample } from '../support/site.ts';

const seconds = 1000;
const rules = { bufferMs: 180 * seconds, idleMs: 90 * seconds };

/** Numbers from a seed, from 0 to 1. */
function randomOf(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

interface Workload {
  jobs: TestJob[];
  edges: [number, number][];
  numBarriers: number;
  shapes: PlannedShape[];
  shapeOf: Int32Array;
  /** How long each job really takes. */
  trueMs: number[];
}

/** One to three stages of one or two kinds of jobs; stages wait for each other as a whole or job by job. */
function workloadOf(seed: number): Workload {
  const random = randomOf(seed);
  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
  const work: Workload = { jobs: [], edges: [], numBarriers: 0, shapes: [], shapeOf: new Int32Array(0), trueMs: [] };
  const shapeOf: number[] = [];
  let before: number[] = [];
  for (let stage = between(1, 3); stage > 0; stage--) {
    const stageJobs: number[] = [];
    for (let kind = between(1, 2); kind > 0; kind--) {
      const isOneToOne = before.length > 1 && kind === 1 && random() < 0.4;
      const numJobs = isOneToOne ? before.length : random() < 0.25 ? between(1, 3) : between(10, 50);
      const stated = between(5, 40) * 60;
      const usualMs = Math.round(stated * (0.5 + random() * 0.4)) * seconds;
      const job = { cpus: between(1, 16), memory: between(1, 24) * 1024 ** 3, runtime: stated, priority: 0 };
      work.shapes.push(shapeWith(job, stated * seconds, usualMs));
      for (let n = 0; n < numJobs; n++) {
        const index = work.jobs.length;
        work.jobs.push({ name: `s${stage}k${kind}_${n}`, ...job });
        shapeOf.push(work.shapes.length - 1);
        work.trueMs.push(usualMs);
        stageJobs.push(index);
        if (isOneToOne) work.edges.push([before[n] as number, index]);
      }
      if (before.length > 0 && !isOneToOne) {
        work.numBarriers += 1;
        for (const upstream of before) work.edges.push([upstream, -work.numBarriers]);
        for (const job of stageJobs.slice(-numJobs)) work.edges.push([-work.numBarriers, job]);
      }
    }
    before = stageJobs;
  }
  return { ...work, shapeOf: Int32Array.from(shapeOf) };
}

function shapeWith(job: { cpus: number; memory: number }, statedMs: number, usualMs: number): PlannedShape {
  const need = {
    numCpus: job.cpus,
    memoryBytes: job.memory,
    gpuThousandths: 0,
    numNodes: 1,
    runtimeMs: statedMs,
    isMemoryStated: true,
    isRuntimeStated: true,
  };
  const others = { priority: 0, sortRank: 0, supportsTermination: false, labels: noLabels };
  return { need, runtimeMs: usualMs, isRuntimeKnown: true, ...others };
}

function groupsIn(work: Workload): JobGroup[] {
  const graph = buildGraph(work.jobs.length, work.numBarriers, work.edges);
  return groupsOf({ numJobs: work.jobs.length, graph, shapeOf: work.shapeOf, shapes: work.shapes }, 1000) ?? [];
}

/** Long polls end at random instants; those of the database are whole milliseconds. */
class WholeClock extends FakeClock {
  override after(delayMs: number, call: () => void): () => void {
    return super.after(Math.ceil(delayMs), call);
  }
}

/** The run of a workload on planned allocations: when it ended, and the time for which nodes were there. */
class Run {
  readonly clock = new WholeClock();
  readonly work: Workload;
  readonly plan: AllocationPlan;
  readonly groups: JobGroup[];
  readonly #come = new Set<PlannedAllocations>();
  readonly #replacements = new Map<PlannedAllocations, number>();
  /** A new request of each worker that is there. */
  readonly #ask = new Set<() => void>();
  #firstKey = 0;
  #key = '';
  #service: Service | null = null;
  lastEndMs = 0;
  nodeMs = 0;
  numDone = 0;
  numPresent = 0;
  readonly beganMs = this.clock.now();

  constructor(work: Workload, groups: JobGroup[], plan: AllocationPlan) {
    this.work = work;
    this.groups = groups;
    this.plan = plan;
  }

  get service(): Service {
    if (this.#service === null) throw new Error('not started');
    return this.#service;
  }

  async toItsEnd(): Promise<void> {
    const { service, close } = await freshService(this.clock);
    this.#service = service;
    this.#key = await createWorkflow(service, this.work.jobs, this.work.edges, { numBarriers: this.work.numBarriers });
    this.#firstKey = service.db.get<{ k: number }>('SELECT min(job_key) AS k FROM jobs')?.k ?? 0;
    this.#bring();
    for (let hour = 0; hour < 48 && (this.numPresent > 0 || this.numDone < this.work.jobs.length); hour++) {
      await this.clock.advance(3600 * seconds);
    }
    await close();
  }

  /** Allocations come at the start, or with the first ready job of their group. */
  #bring(): void {
    for (const planned of this.plan.allocations) {
      if (this.#come.has(planned)) continue;
      const { startsWith } = planned;
      if (startsWith !== null) {
        const key = this.#firstKey + (this.groups[startsWith] as JobGroup).soonestJob;
        const job = this.service.db.get<{ status: string }>('SELECT status FROM jobs WHERE job_key = ?', key);
        if (job?.status === 'blocked') continue;
      }
      this.#come.add(planned);
      for (let n = 0; n < planned.numAllocations; n++) this.#start(planned);
    }
  }

  #start(planned: PlannedAllocations): void {
    this.numPresent += 1;
    void this.#live(planned).catch((error: unknown) => {
      throw error;
    });
  }

  async #live(planned: PlannedAllocations): Promise<void> {
    const { segment, walltimeMs } = planned;
    const offer = offerOf(segment.place, segment.numNodes, null, segment.withGpus);
    const capacity = { cpus: offer.numCpus, memory: offer.memoryBytes, gpus: offer.numGpus, nodes: offer.numNodes };
    const hello = { walltime_seconds: walltimeMs / seconds };
    const startMs = this.clock.now();
    const worker = await TestWorker.join(this.service, this.#key, capacity, null, hello);
    let hasLeft = false;
    let cancelIdle = (): void => {};
    const timeLeft = () => untilLatestEndMs(startMs + walltimeMs - this.clock.now(), walltimeMs, rules.bufferMs);
    const leave = (): void => {
      if (hasLeft) return;
      hasLeft = true;
      cancelIdle();
      this.nodeMs += (this.clock.now() - startMs) * segment.numNodes;
      this.numPresent -= 1;
      void worker.exchange({ leaving: true });
      this.#ask.delete(askAgain);
      const left = this.#replacements.get(planned) ?? planned.numReplacements;
      if (left === 0 || this.numDone === this.work.jobs.length) return;
      this.#replacements.set(planned, left - 1);
      this.#start(planned);
    };
    const follow = (reply: ExchangeReply): void => {
      if (hasLeft) return;
      for (const { attempt, job_key } of reply.jobs) {
        const index = Number(job_key) - this.#firstKey;
        const trueMs = this.work.trueMs[index] as number;
        this.clock.after(trueMs, () => end(attempt, trueMs));
      }
      if (reply.leave) leave();
      else waitForMore();
    };
    let isIdle = false;
    let numParked = 0;
    const waitForMore = (): void => {
      if (isIdle === (worker.held.length === 0)) return;
      isIdle = !isIdle;
      cancelIdle();
      if (isIdle) cancelIdle = this.clock.after(rules.idleMs, leave);
    };
    const ask = (fields: Partial<Request<'exchange'>>): void => {
      numParked += 1;
      const done = (reply: ExchangeReply): void => {
        numParked -= 1;
        follow(reply);
      };
      void worker.exchange({ time_left_ms: timeLeft(), ...fields }).then(done);
    };
    const end = (attempt: number, execMs: number): void => {
      worker.held = worker.held.filter((held) => held !== attempt);
      this.numDone += 1;
      this.lastEndMs = this.clock.now();
      // with the runtime that it had: what is short would be given out ahead of time
      ask({ finished: [{ ...finished(attempt), start_age_ms: execMs + 1, exec_ms: execMs }] });
      waitForMore();
      this.clock.after(1, () => {
        this.#bring();
        // those whose long poll has ended: waiting in one for hours would be many events
        for (const askOther of this.#ask) askOther();
      });
    };
    const askAgain = (): void => {
      if (numParked === 0) ask({});
    };
    this.#ask.add(askAgain);
    askAgain();
  }
}

const options = { maxAllocations: null, maxWalltimeMs: null, partition: null, maxParallelJobs: null, queueMs: 0 };

it.each(Array.from({ length: 10 }, (_, index) => index + 1))(
  'workload %i ends when the plan says so, with the node-hours that it says',
  async (seed) => {
    const work = workloadOf(seed);
    const groups = groupsIn(work);
    const plan = planAllocations(groups, siteExample, rules, { ...options, maxNodes: 6 });
    expect([plan.left, plan.misfits]).toEqual([[], []]);
    const run = new Run(work, groups, plan);
    await run.toItsEnd();
    expect(run.numDone).toBe(work.jobs.length);
    const ratio = [(run.lastEndMs - run.beganMs) / plan.endMs, run.nodeMs / plan.nodeMs];
    for (const each of ratio) expect(Math.abs(each - 1)).toBeLessThan(0.1);
  },
  120_000,
);
