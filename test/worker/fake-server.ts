/** A server in memory that keeps the rules of the exchange, with ways to misbehave on purpose. */
import {
  type ActionReport,
  type Api,
  type Assignment,
  type CallOptions,
  type EndpointName,
  type ExchangeReply,
  endpoints,
  type HelloReply,
  type Reply,
  type Request,
  type StopRequest,
  type WorkerCommands,
  type WorkerSettings,
} from '../../src/api/contract.ts';
import { TorcError } from '../../src/base/errors.ts';

type ExchangeRequest = Request<'exchange'>;
export type Finished = ExchangeRequest['finished'][number];

export interface FakeAttempt {
  assignment: Assignment;
  isLive: boolean;
  isOccupying: boolean;
  stop: StopRequest | null;
  started: ExchangeRequest['started'][number] | null;
  finished: Finished | null;
  isReturned: boolean;
}

interface Parked {
  request: ExchangeRequest;
  resolve: (reply: ExchangeReply) => void;
}

export type JobSpec = Partial<Assignment> & { command: string };

export const defaultSettings: WorkerSettings = {
  expiration_buffer_seconds: 0,
  wait_for_new_jobs_seconds: 60,
  ignore_workflow_completion: false,
  wait_for_healthy_database_minutes: 20,
  sample_interval_seconds: null,
  stdio: 'files',
  termination_signal: 'SIGTERM',
  sigterm_lead_seconds: 30,
  create_output_folders: true,
};

export class FakeServer implements Api {
  readonly attempts = new Map<number, FakeAttempt>();
  readonly hellos: Request<'worker_hello'>[] = [];
  readonly seen: ExchangeRequest[] = [];
  settings: WorkerSettings = defaultSettings;
  /** Jobs given at a time; those for which the node has no room are given ahead of time. */
  slots = 4;
  isDown = false;
  /** What it says while it is down. */
  downError = new TorcError('unreachable', 'the server is down');
  /** How many replies are lost after their request was served. */
  repliesToLose = 0;
  helloAnswer: HelloReply['answer'] = 'welcome';
  helloError: TorcError | null = null;
  actions: WorkerCommands[] = [];
  epoch = 1;
  /** Whether workers are told to leave when nothing is left. */
  completes = true;
  hasLeft = false;
  /** Whether it reads no exchange, as a server that stands still for some seconds. */
  isStopped = false;
  /** Exchanges that have come, read or not. */
  numArrived = 0;
  /** Whether jobs that come back unstarted are given out again. */
  givesAgain = false;
  #queue: JobSpec[] = [];
  #nextKey = 1;
  #parked: Parked | null = null;
  #known = new Set<string>();
  #lastSeq = 0;

  add(...jobs: JobSpec[]): void {
    this.#queue.push(...jobs);
    this.#wake();
  }

  /** Asks a running or given attempt to end. */
  stop(attemptKey: number, reason: StopRequest = 'cancel'): void {
    const attempt = this.attempts.get(attemptKey);
    if (attempt === undefined) throw new Error(`no attempt ${attemptKey}`);
    attempt.stop = reason;
    if (reason === 'superseded' || reason === 'fenced') attempt.isLive = false;
    this.#wake();
  }

  forgetWorkers(): void {
    this.#known.clear();
    this.#lastSeq = 0;
    this.#unpark();
  }

  /** The server stops answering, and waiting requests are cut off. */
  goDown(): void {
    this.isDown = true;
    this.#parked = null;
    this.#wakeCut?.();
  }

  goUp(): void {
    this.isDown = false;
  }

  #wakeCut: (() => void) | null = null;

  ofJob(jobKey: string): FakeAttempt {
    for (const attempt of this.attempts.values()) if (attempt.assignment.job_key === jobKey) return attempt;
    throw new Error(`job ${jobKey} was never given out`);
  }

  /** What was reported about the commands of each firing, in the order of the first reports. */
  get commandReports(): Map<number, ActionReport> {
    const told = new Map<number, ActionReport>();
    for (const { actions = [] } of this.seen)
      for (const one of actions) if (!told.has(one.firing)) told.set(one.firing, one);
    return told;
  }

  get numFinished(): number {
    return [...this.attempts.values()].filter((attempt) => attempt.finished !== null).length;
  }

  async call<N extends EndpointName>(endpoint: N, request: Request<N>, options: CallOptions = {}): Promise<Reply<N>> {
    await Promise.resolve();
    if (this.isDown) throw this.downError;
    const parsed = endpoints[endpoint].request.parse(structuredClone(request));
    if (endpoint === 'worker_hello') return this.#hello(parsed as Request<'worker_hello'>) as Reply<N>;
    this.numArrived += 1;
    while (this.isStopped) await new Promise((resolve) => setTimeout(resolve, 5));
    const reply = await this.#exchange(parsed as ExchangeRequest, options);
    if (this.repliesToLose > 0) {
      this.repliesToLose -= 1;
      throw new TorcError('unreachable', 'the reply was lost');
    }
    return structuredClone(reply) as Reply<N>;
  }

  async close(): Promise<void> {}

  #hello(request: Request<'worker_hello'>): HelloReply {
    this.hellos.push(request);
    if (this.helloError !== null) throw this.helloError;
    this.#known.add(request.worker_id);
    const { helloAnswer: answer, epoch, settings, actions } = this;
    return { answer, epoch, database: 7, compute_node_key: '1', workflow_name: 'test', settings, actions };
  }

  #exchange(request: ExchangeRequest, options: CallOptions): Promise<ExchangeReply> {
    this.seen.push(request);
    if (!this.#known.has(request.worker_id)) {
      return Promise.resolve({ ...this.#empty(request.seq), unknown_worker: true });
    }
    if (request.seq <= this.#lastSeq) return Promise.resolve(this.#empty(request.seq));
    this.#lastSeq = request.seq;
    this.#unpark();
    const reports = this.#apply(request);
    if (request.leaving) {
      this.hasLeft = true;
      return Promise.resolve({ ...this.#empty(request.seq), reports, leave: true });
    }
    const reply = { ...this.#answer(request), reports };
    if (isWorthSending(reply)) return Promise.resolve(reply);
    return new Promise((resolve, reject) => {
      this.#parked = { request, resolve };
      const cut = () => reject(new TorcError('unreachable', 'the connection was cut'));
      this.#wakeCut = cut;
      options.signal?.addEventListener('abort', cut, { once: true });
    });
  }

  #apply(request: ExchangeRequest): ExchangeReply['reports'] {
    const answers: ExchangeReply['reports'] = [];
    for (const finished of request.finished) {
      const attempt = this.attempts.get(finished.attempt);
      const answer = attempt === undefined ? 'rejected' : this.#finish(attempt, finished);
      answers.push({ attempt: finished.attempt, report: 'finished', answer });
    }
    for (const key of request.returned) {
      const attempt = this.attempts.get(key);
      if (attempt !== undefined && this.givesAgain) this.#queue.unshift(attempt.assignment);
      if (attempt !== undefined) Object.assign(attempt, { isReturned: true, isLive: false, isOccupying: false });
      answers.push({ attempt: key, report: 'returned', answer: attempt === undefined ? 'rejected' : 'accepted' });
    }
    for (const started of request.started) {
      const attempt = this.attempts.get(started.attempt);
      if (attempt !== undefined) attempt.started = started;
      answers.push({ attempt: started.attempt, report: 'started', answer: 'accepted' });
    }
    return answers;
  }

  #finish(attempt: FakeAttempt, finished: Finished): 'accepted' | 'repeated' | 'superseded' {
    attempt.isOccupying = false;
    if (attempt.finished !== null) return 'repeated';
    attempt.finished = finished;
    const answer = attempt.isLive ? 'accepted' : 'superseded';
    attempt.isLive = false;
    return answer;
  }

  #answer(request: ExchangeRequest): ExchangeReply {
    if (!request.draining) this.#claim(request.max_parallel_jobs ?? this.slots);
    const occupying = [...this.attempts.values()].filter((attempt) => attempt.isOccupying);
    const isComplete = this.completes && occupying.length === 0 && this.#queue.length === 0;
    return {
      ...this.#empty(request.seq),
      jobs: occupying
        .filter((attempt) => attempt.isLive && attempt.assignment.attempt > request.ack)
        .map((attempt) => attempt.assignment),
      stop: occupying.flatMap(({ assignment, stop }) =>
        stop === null ? [] : [{ attempt: assignment.attempt, reason: stop }],
      ),
      leave: isComplete && this.attempts.size > 0,
    };
  }

  #claim(most: number): void {
    const numOccupying = [...this.attempts.values()].filter((attempt) => attempt.isOccupying).length;
    const numFree = Math.max(0, Math.min(this.slots, most) - numOccupying);
    for (const job of this.#queue.splice(0, numFree)) {
      const key = this.#nextKey++;
      this.attempts.set(key, {
        assignment: assignment({ job_key: String(key), ...job, attempt: key }),
        isLive: true,
        isOccupying: true,
        stop: null,
        started: null,
        finished: null,
        isReturned: false,
      });
    }
  }

  #wake(): void {
    if (this.#parked === null) return;
    const { request, resolve } = this.#parked;
    const reply = this.#answer(request);
    if (!isWorthSending(reply)) return;
    this.#parked = null;
    resolve(reply);
  }

  #unpark(): void {
    this.#parked?.resolve(this.#empty(this.#parked.request.seq));
    this.#parked = null;
  }

  #empty(seq: number): ExchangeReply {
    const now = new Date().toISOString();
    return { seq, epoch: this.epoch, now, jobs: [], stop: [], reports: [], leave: false, unknown_worker: false };
  }
}

function isWorthSending(reply: ExchangeReply): boolean {
  return reply.jobs.length + reply.stop.length + reply.reports.length > 0 || reply.leave;
}

/** An assignment with everything that a test does not care about filled in. */
export function assignment(given: JobSpec & { attempt: number; job_key: string }): Assignment {
  return {
    attempt_id: 1,
    run_id: 1,
    job_name: `job ${given.job_key}`,
    invocation_script: null,
    num_cpus: 1,
    memory_bytes: 1024 * 1024,
    memory_limit_bytes: null,
    runtime_limit_ms: null,
    runtime_ms: null,
    gpu_indices: [],
    supports_termination: false,
    ...given,
  };
}
