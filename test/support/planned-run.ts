/** The run of a workload on planned allocations: the real server, workers with the true runtimes, a clock that jumps. */
import type { ExchangeReply, Request } from '../../src/api/contract.ts';
import { untilLatestEndMs } from '../../src/model/decide/time-left.ts';
import { buildGraph } from '../../src/model/graph/graph.ts';
import { labelsIn, noLabels } from '../../src/model/labels.ts';
import { groupsOf, type JobGroup, type PlannedShape } from '../../src/model/plan/groups.ts';
import { offerOf } from '../../src/model/plan/places.ts';
import type { AllocationPlan, PlannedAllocations } from '../../src/model/plan/plan.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from './fake-machine.ts';
import { createWorkflow, finished, freshService, type TestJob, TestWorker } from './service.ts';

const seconds = 1000;
export const rules = { bufferMs: 180 * seconds, idleMs: 90 * seconds };

export interface Workload {
  jobs: TestJob[];
  edges: [number, number][];
  numBarriers: number;
  shapes: PlannedShape[];
  shapeOf: Int32Array;
  /** How long each job really takes. */
  trueMs: number[];
}

export function shapeWith(
  job: { cpus: number; memory: number; gpuThousandths?: number },
  statedMs: number,
  usualMs: number,
): PlannedShape {
  const need = {
    numCpus: job.cpus,
    memoryBytes: job.memory,
    gpuThousandths: job.gpuThousandths ?? 0,
    numNodes: 1,
    runtimeMs: statedMs,
    isMemoryStated: true,
    isRuntimeStated: true,
  };
  const others = { priority: 0, sortRank: 0, supportsTermination: false, labels: noLabels };
  return { need, runtimeMs: usualMs, isRuntimeKnown: true, ...others };
}

export function groupsIn(work: Workload): JobGroup[] {
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
export class Run {
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
  /** Of each kind of allocations: when the first came and the last left. */
  readonly spans = new Map<PlannedAllocations, { fromMs: number; toMs: number }>();

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
    const hello = {
      walltime_seconds: walltimeMs / seconds,
      ...(segment.labels === noLabels ? {} : { labels: labelsIn(segment.labels) }),
    };
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
      const fromMs = Math.min(startMs, this.spans.get(planned)?.fromMs ?? startMs);
      this.spans.set(planned, { fromMs, toMs: this.clock.now() });
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
