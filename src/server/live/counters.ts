/** What this server has done since it started, counted in memory as it happens. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Fact } from '../../storage/database/facts.ts';
import type { ServerContext } from '../context.ts';

/** The delay of the event loop is measured for this long after somebody has asked for it. */
const measureForMs = 5 * 60_000;

export interface LoopDelay {
  meanSeconds: number;
  maxSeconds: number;
}

export class Counters {
  readonly #clock: ServerContext['clock'];
  readonly requests = new Map<string, number>();
  readonly endsByCause = new Map<string, number>();
  runtimeSeconds = 0;
  numClaims = 0;
  numTransactions = 0;
  numRunsEnded = 0;
  /** Milliseconds since 1970; null when this server has made none. */
  lastBackupAt: number | null = null;
  #delays: IntervalHistogram | null = null;
  #stopMeasuring: () => void = () => {};

  constructor(context: Pick<ServerContext, 'clock' | 'subscribe'>) {
    this.#clock = context.clock;
    context.subscribe((facts) => this.#learn(facts));
  }

  noteRequest(endpoint: string, status: number): void {
    add(this.requests, `${endpoint} ${status}`);
    if (endpoint === 'server_backup' && status === 200) this.lastBackupAt = this.#clock.now();
  }

  /** Since the last call; null at the first call, from which on it is measured. */
  takeLoopDelay(): LoopDelay | null {
    const delays = this.#delays;
    this.#stopMeasuring();
    if (delays === null) {
      this.#delays = monitorEventLoopDelay({ resolution: 20 });
      this.#delays.enable();
    }
    this.#stopMeasuring = this.#clock.after(measureForMs, () => this.close());
    if (delays === null || delays.count === 0) return null;
    const taken = { meanSeconds: delays.mean / 1e9, maxSeconds: delays.max / 1e9 };
    delays.reset();
    return taken;
  }

  close(): void {
    this.#stopMeasuring();
    this.#delays?.disable();
    this.#delays = null;
  }

  #learn(facts: readonly Fact[]): void {
    this.numTransactions += 1;
    for (const fact of facts) {
      if (fact.kind === 'attempt_ran') {
        add(this.endsByCause, fact.cause);
        this.runtimeSeconds += fact.runtimeMs / 1000;
      } else if (fact.kind === 'jobs_claimed') this.numClaims += fact.numJobs;
      else if (fact.kind === 'run_ended') this.numRunsEnded += 1;
    }
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
