/**
 * What a transaction made true, for everything that follows from it. While the transaction runs, later steps of the same
 * batch read it (waiting workers, actions, the end of a run); after COMMIT it goes to the subscribers of the service.
 */

export type Fact =
  /** A job became ready, or claims of the workflow may go on. */
  | { kind: 'jobs_ready'; workflowKey: number }
  /** A job left the statuses in which a worker is or can be busy with it: the run may have ended. */
  | { kind: 'jobs_settled'; workflowKey: number }
  /** A job of the action reached what the action waits for. */
  | { kind: 'action_advanced'; actionKey: number }
  /** An action fired that a server has to carry out. */
  | { kind: 'action_fired'; workflowKey: number; actionKey: number }
  | { kind: 'run_started'; workflowKey: number; runId: number }
  | { kind: 'run_ended'; workflowKey: number; runId: number; status: string }
  /** The server has another instant to act at. */
  | { kind: 'due_set'; dueAt: number }
  /** A worker has another attempt to stop. */
  | { kind: 'worker_stopping'; computeNodeKey: number }
  /** A worker that nobody reaches is told by a file to stop. */
  | { kind: 'worker_fenced'; workerId: string }
  | { kind: 'worker_joined'; workflowKey: number; computeNodeKey: number }
  | { kind: 'worker_left'; workflowKey: number; computeNodeKey: number }
  | { kind: 'allocation_changed'; workflowKey: number; allocationKey: number }
  | { kind: 'user_data_written'; workflowKey: number; userDataKey: number }
  /** An attempt ran for so long. */
  | { kind: 'attempt_ran'; shapeKey: number; runtimeMs: number }
  /** The history of a workflow has more rows: whoever follows it reads on from its cursor. */
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
