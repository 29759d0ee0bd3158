/** A small random workflow, and how its jobs behave when they run. */

import { rule, type TestJob } from '../support/service.ts';
import { type Adding, randomAdding } from './children.ts';
import { type DataUse, randomUses, withUse } from './data-uses.ts';
import type { Random } from './random.ts';
import { randomNeeds, scalingRules, type TrueNeed, withScaling } from './scale-check.ts';

export class SimWorkflow {
  readonly jobs: TestJob[];
  readonly edges: [number, number][];
  readonly numBarriers: number;
  /** The first retries at once, the second after a delay, the third with a larger request. */
  readonly failureHandlers: ReturnType<typeof rule>[][];
  readonly maxLosses: number;
  /** What cuts its runs off; null for nothing. */
  readonly limits: { max_failures: number | null; timeout_seconds: number | null };
  /** Whether jobs ask for labels, and workers and allocations are given some. */
  readonly hasLabels: boolean;
  /** How many jobs run at once; null for as many as fit. */
  readonly concurrency: { max_concurrent_jobs: number | null; limits: Record<string, number> } | null;
  /** Jobs that add jobs, by name. */
  readonly adding: ReadonlyMap<string, Adding>;
  /** Jobs that use the values of others, by name. */
  readonly uses: ReadonlyMap<string, DataUse>;
  /** What jobs need that ask for less at first, by name. */
  readonly trueNeeds: ReadonlyMap<string, TrueNeed>;
  /** Nodes that the widest job needs. */
  readonly widest: number;
  readonly #random: Random;
  readonly #failing: Map<string, number>;
  #longestMs: number;
  /** Whether all jobs take about the same time. */
  readonly #isEven: boolean;

  constructor(random: Random, isLong: boolean, randomOfUses: Random) {
    this.#random = random;
    const numJobs = random.int(3, 15);
    const isWide = random.chance(0.25);
    this.#isEven = isLong || random.chance(0.3);
    this.hasLabels = random.chance(0.3);
    this.concurrency = random.chance(0.3) ? randomConcurrency(random) : null;
    if (isLong) this.#longestMs = random.spread(200_000, 600_000);
    else this.#longestMs = random.chance(0.5) ? random.spread(1_000, 60_000) : random.spread(60_000, 600_000);
    const jobs = Array.from(
      { length: numJobs },
      (_, index): TestJob => ({
        name: `j${index}`,
        cpus: random.int(1, 3),
        nodes: isWide && random.chance(0.3) ? 2 : 1,
        priority: random.int(0, 2),
        cancelOnFailure: random.chance(0.7),
        // longer than any allocation: it starts nevertheless
        ...(random.chance(0.2) ? { supportsTermination: true, runtime: 7200 } : {}),
        ...(random.chance(0.15) ? { maxWaitMs: Math.round(random.spread(20_000, 600_000)) } : {}),
        ...(this.hasLabels && random.chance(0.6) ? { labels: random.pick(labelSets) } : {}),
        ...(this.concurrency !== null && random.chance(0.7) ? { limits: random.pick(limitSets) } : {}),
        ...(random.chance(0.4) ? { failureHandler: random.pick([0, 1, 1]) } : {}),
      }),
    );
    this.maxLosses = random.pick([0, 1, 3, 3]);
    this.limits = randomLimits(random);
    this.failureHandlers = [[rule({ exit_codes: [1], max_retries: 1 })], [delayedRule(random)]];
    this.widest = Math.max(...jobs.map(({ nodes = 1 }) => nodes));
    this.#failing = new Map(
      jobs.map(({ name, failureHandler }) => [
        name,
        random.chance(failureHandler === 1 ? 0.5 : 0.2) ? random.pick([0.3, 1]) : 0,
      ]),
    );
    const edges = new Map<string, [number, number]>();
    const link = (from: number, to: number) => edges.set(`${from} ${to}`, [from, to]);
    for (let n = random.int(0, numJobs); n > 0; n--) {
      const [a, b] = [random.int(0, numJobs - 1), random.int(0, numJobs - 1)];
      if (a !== b) link(Math.min(a, b), Math.max(a, b));
    }
    this.numBarriers = numJobs > 3 && random.chance(0.4) ? 1 : 0;
    if (this.numBarriers === 1) {
      const cut = random.int(1, numJobs - 1);
      for (let job = 0; job < cut; job++) if (job === 0 || random.chance(0.6)) link(job, -1);
      for (let job = cut; job < numJobs; job++) if (job === cut || random.chance(0.6)) link(-1, job);
    }
    this.edges = [...edges.values()];
    this.uses = randomUses(jobs, this.edges, randomOfUses);
    const used = jobs.map((job) => withUse(job, this.uses.get(job.name)));
    this.trueNeeds = randomNeeds(used, randomOfUses);
    this.failureHandlers.push(scalingRules);
    this.jobs = used.map((job) => withScaling(job, this.trueNeeds.get(job.name), this.failureHandlers.length - 1));
    this.adding = randomAdding(this, random);
  }

  /** From now on all jobs are short. */
  hurry(): void {
    this.#longestMs = Math.min(this.#longestMs, 5_000);
  }

  /** How one process of a job behaves. */
  behaviour(name: string): { runMs: number; code: number } {
    const fails = this.#random.chance(this.#failing.get(name) ?? 0);
    const shortestMs = this.#longestMs / (this.#isEven ? 2 : 200);
    return {
      runMs: this.#random.spread(shortestMs, this.#longestMs),
      code: fails ? this.#random.pick([1, 1, 2]) : 0,
    };
  }
}

/** What jobs ask for and workers are given. */
export const labelSets = [['a'], ['b'], ['a', 'b']];

/** Limits that jobs name: the first is shared. */
const limitSets = [['licence'], ['own'], ['licence', 'own']];

export function randomConcurrency(random: Random): NonNullable<SimWorkflow['concurrency']> {
  return {
    max_concurrent_jobs: random.chance(0.5) ? random.int(0, 4) : null,
    limits: { licence: random.int(0, 3), own: random.int(0, 3) },
  };
}

/** Short enough to cut many runs off. */
export function randomLimits(random: Random): SimWorkflow['limits'] {
  return {
    max_failures: random.chance(0.3) ? random.int(1, 3) : null,
    timeout_seconds: random.chance(0.3) ? Math.round(random.spread(60, 900)) : null,
  };
}

function delayedRule(random: Random): ReturnType<typeof rule> {
  return rule({
    exit_codes: [1],
    max_retries: random.int(1, 3),
    retry_delay_ms: Math.round(random.spread(1_000, 200_000)),
    retry_backoff: random.pick([1, 1.5, 2]),
    retry_max_delay_ms: 300_000,
  });
}
