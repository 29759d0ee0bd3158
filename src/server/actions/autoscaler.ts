/**
 * Asks Slurm for nodes, and gives back what nobody needs, for workflows with an autoscaler. It looks when a due row says
 * so and soon after news. What it decides is recorded in the transaction that has counted; sbatch follows, and what a
 * server leaves between the two is found by its name or given up, as with every allocation.
 */
import { lookBy } from '../../storage/authoring/autoscaling.ts';
import { type Fact, factsOf } from '../../storage/database/facts.ts';
import { hasReadyUnder } from '../../storage/demand/ready-shapes.ts';
import { autoscaledWorkflows } from '../../storage/running/autoscalers.ts';
import type { ServerContext } from '../context.ts';
import { CallRate } from './call-rate.ts';
import { scalingStep } from './scaling-step.ts';
import { trySubmission } from './submission.ts';

export const defaultCallsPerMinute = 30;
/** News of this time is looked at together. */
const debounceMs = 2_000;
/** The wait after the database could not be written. */
const pauseMs = 10_000;

/** What may change the decision. */
const news: ReadonlySet<Fact['kind']> = new Set<Fact['kind']>([
  'jobs_ready',
  'allocation_changed',
  'worker_joined',
  'worker_left',
  'run_started',
  'run_ended',
]);

export class Autoscaler {
  readonly #context: ServerContext;
  readonly #rate: CallRate;
  /** The workflows that have one. */
  #scaled = new Set<number>();
  /** Those to look at now. */
  readonly #toLook = new Set<number>();
  /** When those that have had news are looked at; milliseconds UTC. */
  readonly #soon = new Map<number, number>();
  #underWay: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #isLooking = false;
  #isClosed = false;

  constructor(context: ServerContext, callsPerMinute = defaultCallsPerMinute) {
    this.#context = context;
    this.#rate = new CallRate(context.clock, callsPerMinute);
  }

  /** Looks at every workflow: no server may have run for a while. */
  start(): void {
    this.#readWorkflows();
    for (const workflowKey of this.#scaled) this.#toLook.add(workflowKey);
    this.#unsubscribe = this.#context.subscribe((facts) => this.#hear(facts));
    this.#work();
  }

  /** Resolves when no command of Slurm is under way. The next server goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancelTimer();
    await this.#underWay;
  }

  #readWorkflows(): void {
    this.#scaled = new Set(autoscaledWorkflows(this.#context.view));
  }

  #hear(facts: readonly Fact[]): void {
    if (facts.some(({ kind }) => kind === 'autoscaler_set')) this.#readWorkflows();
    if (this.#scaled.size === 0) return;
    for (const { workflowKey } of factsOf(facts, 'autoscale_due')) {
      if (this.#scaled.has(workflowKey)) this.#toLook.add(workflowKey);
    }
    for (const fact of facts) {
      if (news.has(fact.kind) && 'workflowKey' in fact && this.#scaled.has(fact.workflowKey))
        this.#noteNews(fact.workflowKey);
    }
    this.#hearOfLimits(new Set(factsOf(facts, 'limit_freed').map(({ name }) => name)));
    if (this.#toLook.size > 0) this.#work();
  }

  /** A shared limit concerns the workflows that have jobs waiting for it, which may have no nodes at all meanwhile. */
  #hearOfLimits(freed: ReadonlySet<string>): void {
    if (freed.size === 0) return;
    for (const workflowKey of this.#scaled) {
      if (!this.#isLookingSoon(workflowKey) && hasReadyUnder(this.#context.view, workflowKey, freed))
        this.#noteNews(workflowKey);
    }
  }

  #isLookingSoon(workflowKey: number): boolean {
    const at = this.#soon.get(workflowKey);
    return at !== undefined && at <= this.#context.clock.now() + debounceMs;
  }

  #noteNews(workflowKey: number): void {
    if (!this.#isLookingSoon(workflowKey)) this.#lookSoon(workflowKey, this.#context.clock.now() + debounceMs);
  }

  #lookSoon(workflowKey: number, dueAt: number): void {
    this.#soon.set(workflowKey, dueAt);
    this.#context
      .write((tx) => lookBy(tx, workflowKey, dueAt))
      .catch((error) => {
        this.#soon.delete(workflowKey);
        if (!this.#isClosed) this.#tryAgain(error, workflowKey);
      });
  }

  #tryAgain(error: unknown, workflowKey: number): void {
    this.#context.info.log.error({ err: error }, 'an autoscaler could not store what it does; it tries again');
    // a timer of this process: a due row could not be written either
    this.#cancelTimer();
    this.#cancelTimer = this.#context.clock.after(pauseMs, () => {
      this.#toLook.add(workflowKey);
      this.#work();
    });
  }

  #work(): void {
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    this.#underWay = this.#workOff().finally(() => {
      this.#isLooking = false;
      if (this.#toLook.size > 0) this.#work();
    });
  }

  async #workOff(): Promise<void> {
    for (const workflowKey of this.#toLook) {
      if (this.#isClosed) return;
      this.#toLook.delete(workflowKey);
      this.#soon.delete(workflowKey);
      try {
        await this.#look(workflowKey);
      } catch (error) {
        if (this.#isClosed) return;
        this.#tryAgain(error, workflowKey);
      }
    }
  }

  /** Goes on until nothing is left to do, or Slurm refuses. */
  async #look(workflowKey: number): Promise<void> {
    for (let goesOn = true; goesOn && !this.#isClosed; ) {
      const waitMs = this.#rate.waitMs();
      const step = await this.#context.write((tx) =>
        scalingStep(tx, this.#context, workflowKey, waitMs === 0 ? null : tx.now + waitMs),
      );
      if (step.cancel.length > 0) await this.#cancel(step.cancel);
      goesOn =
        step.submission !== null && (await trySubmission(this.#context, step.submission, () => this.#rate.note()));
    }
  }

  /** Those that have started meanwhile go on: their workers leave by themselves. */
  async #cancel(ids: readonly string[]): Promise<void> {
    this.#rate.note();
    const answer = await this.#context.machine.slurm.scancel(ids, { onlyPending: true });
    const { log } = this.#context.info;
    if (answer.kind === 'ok') log.info({ slurm_job_ids: ids }, 'allocations that nobody needs were canceled');
    else log.warn({ slurm_job_ids: ids, reason: answer.reason }, 'allocations could not be canceled; torc tries again');
  }
}
