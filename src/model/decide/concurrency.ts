/**
 * How many jobs run under which limit, and how many more may. A limit belongs to one workflow, or is shared: then it
 * counts the jobs of all workflows that have none of that name. What no limit has the name of is not limited.
 */
import { type LabelSet, labelsIn } from '../labels.ts';

/** The names of limits that a job counts towards; a set like one of labels. */
export type LimitSet = LabelSet;
export const noLimits: LimitSet = '';

/** The name under which all jobs of a workflow with `max_concurrent_jobs` count. */
export const wholeWorkflow = '';
/** Instead of a workflow's key, of shared limits. */
export const shared = 0;

export interface Limit {
  workflowKey: number;
  name: string;
  maximum: number;
}

/** What a limit with a name means to a workflow now. */
export interface LimitState {
  maximum: number;
  isShared: boolean;
  /** Of which workflows jobs run under it. */
  running: { workflowKey: number; numRunning: number }[];
}

const none: readonly string[] = [];

export class Concurrency {
  /** Maxima, by the key of a workflow or `shared`, and by name. */
  readonly #maxima = new Map<number, Map<string, number>>();
  /** How many run, by name and workflow. */
  readonly #running = new Map<string, Map<number, number>>();
  readonly #attempts = new Map<number, { workflowKey: number; names: readonly string[] }>();
  /** The names in each set that was asked about. */
  readonly #namesIn = new Map<LimitSet, readonly string[]>();

  constructor(limits: Iterable<Limit>) {
    for (const limit of limits) this.set(limit);
  }

  /** Follows a limit that was set. */
  set({ workflowKey, name, maximum }: Limit): void {
    const own = this.#maxima.get(workflowKey) ?? new Map<string, number>();
    this.#maxima.set(workflowKey, own.set(name, maximum));
  }

  /** Follows a limit that was deleted. */
  delete(workflowKey: number, name: string): void {
    this.#maxima.get(workflowKey)?.delete(name);
  }

  /** The maximum of a workflow's own limit, or of a shared one; null without one. */
  maximum(workflowKey: number, name: string): number | null {
    return this.#maxima.get(workflowKey)?.get(name) ?? null;
  }

  /** Follows an attempt that begins to occupy a worker. */
  begin(attemptKey: number, workflowKey: number, names: readonly string[]): void {
    this.#attempts.set(attemptKey, { workflowKey, names });
    for (const name of names) this.#count(name, workflowKey, 1);
  }

  /** Follows an attempt that occupies its worker no more. Returns the names that it counted towards, or null. */
  end(attemptKey: number): { workflowKey: number; names: readonly string[] } | null {
    const known = this.#attempts.get(attemptKey);
    if (known === undefined) return null;
    this.#attempts.delete(attemptKey);
    for (const name of known.names) this.#count(name, known.workflowKey, -1);
    return known;
  }

  #count(name: string, workflowKey: number, change: number): void {
    let of = this.#running.get(name);
    if (of === undefined) {
      of = new Map();
      this.#running.set(name, of);
    }
    const n = (of.get(workflowKey) ?? 0) + change;
    if (n === 0) of.delete(workflowKey);
    else of.set(workflowKey, n);
  }

  /** The limits that a job of this set counts towards. */
  namesIn(limits: LimitSet): readonly string[] {
    if (limits === noLimits) return none;
    const known = this.#namesIn.get(limits) ?? labelsIn(limits);
    this.#namesIn.set(limits, known);
    return known;
  }

  isShared(workflowKey: number, name: string): boolean {
    return this.maximum(workflowKey, name) === null && this.maximum(shared, name) !== null;
  }

  /** How many more jobs of a workflow may start under a name: infinite without a limit; below 0 after it was lowered. */
  room(workflowKey: number, name: string): number {
    const own = this.maximum(workflowKey, name);
    if (own !== null) return own - (this.#running.get(name)?.get(workflowKey) ?? 0);
    // max_concurrent_jobs is always a workflow's own
    const all = name === wholeWorkflow ? null : this.maximum(shared, name);
    if (all === null) return Number.POSITIVE_INFINITY;
    let left = all;
    for (const [other, n] of this.#running.get(name) ?? []) {
      if (this.maximum(other, name) === null) left -= n;
    }
    return left;
  }

  /** What the limit is that applies to a workflow; null without one. */
  state(workflowKey: number, name: string): LimitState | null {
    const isShared = name !== wholeWorkflow && this.isShared(workflowKey, name);
    const maximum = this.maximum(isShared ? shared : workflowKey, name);
    if (maximum === null) return null;
    const running = [...(this.#running.get(name) ?? [])]
      .filter(([key]) => (isShared ? this.maximum(key, name) === null : key === workflowKey))
      .map(([key, numRunning]) => ({ workflowKey: key, numRunning }));
    return { maximum, isShared, running };
  }

  /** The limits of a workflow, its own and shared ones, under which nothing more may start. */
  full(workflowKey: number): (LimitState & { name: string })[] {
    const names = new Set([workflowKey, shared].flatMap((key) => [...(this.#maxima.get(key)?.keys() ?? [])]));
    return [...names].sort().flatMap((name) => {
      const state = this.room(workflowKey, name) > 0 ? null : this.state(workflowKey, name);
      return state === null ? [] : [{ name, ...state }];
    });
  }

  /** What jobs of a workflow may start in one claim. */
  quota(workflowKey: number): Quota {
    return new Quota(this, workflowKey);
  }
}

/** Counts what one claim takes, before it is stored. */
export class Quota {
  readonly #concurrency: Concurrency;
  readonly #workflowKey: number;
  readonly #taken = new Map<string, number>();

  constructor(concurrency: Concurrency, workflowKey: number) {
    this.#concurrency = concurrency;
    this.#workflowKey = workflowKey;
  }

  /** How many jobs of the workflow may start in all. */
  get slots(): number {
    return this.#concurrency.room(this.#workflowKey, wholeWorkflow);
  }

  admits(limits: LimitSet): boolean {
    return this.#concurrency
      .namesIn(limits)
      .every((name) => this.#concurrency.room(this.#workflowKey, name) > (this.#taken.get(name) ?? 0));
  }

  take(limits: LimitSet): void {
    for (const name of this.#concurrency.namesIn(limits)) this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
  }
}
