/**
 * What a transaction made true. While the transaction runs, later steps of the same batch read its facts (waiting
 * workers, actions, the end of a run); after COMMIT the subscribers of the service get them.
 */

export type Fact =
  /** A job became ready, or claims of the workflow may continue. */
  | { kind: 'jobs_ready'; workflowKey: number }
  /** More jobs may run under a limit that counts those of several workflows, or no longer does. */
  | { kind: 'limit_freed'; name: string }
  /** A job left the statuses in which it waits, or a worker runs it or can claim it: the run may have ended. */
  | { kind: 'jobs_settled'; workflowKey: number }
  /** The run has as many failures as it may have: what waits is canceled. */
  | { kind: 'failures_reached'; workflowKey: number }
  /** A job of the action reached what the action waits for. */
  | { kind: 'action_advanced'; actionKey: number }
  /** An action fired, and a server has to carry it out. */
  | { kind: 'action_fired'; workflowKey: number; actionKey: number }
  /** A job has failed and is not tried again; told only where somebody wants to know. */
  | { kind: 'job_failed'; workflowKey: number; jobKey: number }
  /** A message to people is to be sent. */
  | { kind: 'message_written'; workflowKey: number }
  | { kind: 'run_started'; workflowKey: number; runId: number }
  | { kind: 'run_ended'; workflowKey: number; runId: number; status: string }
  /** A row was added to the table `due`. */
  | { kind: 'due_set'; dueAt: number }
  /** A schedule has an instant, or something of it ended or changed. */
  | { kind: 'schedule_due'; scheduleKey: number }
  /** An autoscaler is to look at a workflow. */
  | { kind: 'autoscale_due'; workflowKey: number }
  /** A workflow is to recover by itself, or to get the nodes of its recovery. */
  | { kind: 'recover_due'; workflowKey: number }
  /** The autoscaler of a workflow was set or turned off. */
  | { kind: 'autoscaler_set'; workflowKey: number }
  /** A worker has another attempt to stop. */
  | { kind: 'worker_stopping'; computeNodeKey: number }
  /** A worker that is out of reach is told to stop by a file. */
  | { kind: 'worker_fenced'; workerId: string }
  | { kind: 'worker_joined'; workflowKey: number; computeNodeKey: number }
  | { kind: 'worker_left'; workflowKey: number; computeNodeKey: number }
  | { kind: 'allocation_changed'; workflowKey: number; allocationKey: number }
  | { kind: 'user_data_written'; workflowKey: number; userDataKey: number }
  /** A worker was given jobs. */
  | { kind: 'jobs_claimed'; workflowKey: number; numJobs: number }
  /** A worker reported the end of an attempt, after this runtime. */
  | { kind: 'attempt_ran'; shapeKey: number; runtimeMs: number; cause: string }
  /** The history of a workflow has new rows: its followers read on from their cursors. */
  | { kind: 'history_grew'; workflowKey: number };

export type FactKind = Fact['kind'];
export type FactOf<K extends FactKind> = Extract<Fact, { kind: K }>;

/** The facts of one kind, in order. */
export function factsOf<K extends FactKind>(facts: readonly Fact[], kind: K): FactOf<K>[] {
  return facts.filter((fact): fact is FactOf<K> => fact.kind === kind);
}

/** The workflows that facts of one kind are about, each once. */
export function workflowsOf(facts: readonly Fact[], kind: 'jobs_ready' | 'jobs_settled'): Set<number> {
  return new Set(factsOf(facts, kind).map((fact) => fact.workflowKey));
}
