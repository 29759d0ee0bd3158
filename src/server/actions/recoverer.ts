/**
 * Recovers workflows that do so by themselves: as the command does, when a due row says so. Nodes follow a moment later,
 * for jobs that no worker has taken by then; each allocation is recorded before sbatch, as all are. What a server leaves
 * between the steps is found in the rows by the next one.
 */
import { asTorcError } from '../../base/errors.ts';
import { hasUnconfirmed, recordAllocations, refusalOf } from '../../storage/authoring/allocations.ts';
import { nextAllocationKey } from '../../storage/authoring/autoscaling.ts';
import { findSlurmConfig } from '../../storage/authoring/slurm-configs.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { wantedNodes } from '../../storage/demand/wanted-nodes.ts';
import { findRecovery, recoveriesDue, setInstants } from '../../storage/running/recoveries.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import { noteNodesRefused, noteRecoveryFailed } from '../../storage/runs/auto-recovery.ts';
import type { ServerContext } from '../context.ts';
import { nameOf, type StepContext } from './scaling-step.ts';
import { type Batch, byServer, recordOf, type Submission, trySubmission } from './submission.ts';

export class Recoverer {
  readonly #context: ServerContext;
  readonly #toDo = new Set<number>();
  #underWay: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => {};
  #isWorking = false;
  #isClosed = false;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** Takes up what has come while no server ran. */
  start(): void {
    for (const workflowKey of recoveriesDue(this.#context.view)) this.#toDo.add(workflowKey);
    this.#unsubscribe = this.#context.subscribe((facts) => {
      for (const fact of facts) if (fact.kind === 'recover_due') this.#toDo.add(fact.workflowKey);
      this.#work();
    });
    this.#work();
  }

  /** Resolves when no command of Slurm is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe();
    await this.#underWay;
  }

  #work(): void {
    if (this.#isWorking || this.#isClosed || this.#toDo.size === 0) return;
    this.#isWorking = true;
    this.#underWay = this.#workOff().finally(() => {
      this.#isWorking = false;
      this.#work();
    });
  }

  async #workOff(): Promise<void> {
    for (const workflowKey of this.#toDo) {
      if (this.#isClosed) return;
      this.#toDo.delete(workflowKey);
      try {
        if (findRecovery(this.#context.view, workflowKey)?.nextAt != null) await this.#recover(workflowKey);
        else await this.#addNodes(workflowKey);
      } catch (error) {
        // its due row is still there
        if (!this.#isClosed)
          this.#context.info.log.error({ err: error }, 'a recovery could not be stored; torc tries again');
      }
    }
  }

  async #recover(workflowKey: number): Promise<void> {
    try {
      await byServer(this.#context).call('workflow_restart', {
        workflow_key: String(workflowKey),
        dry_run: false,
        expected_state: null,
        skip: 0,
        ignore_missing_data: false,
        only_uninitialized: false,
        keep_running: false,
        force: false,
        assume_stopped: false,
        working_directory: this.#context.info.directory,
        recover: { memory_factor: null, runtime_factor: null, retry_unknown: false, automatic: true },
      });
    } catch (thrown) {
      const { code, message } = asTorcError(thrown);
      if (this.#isClosed || code === 'no_space' || code === 'busy') throw thrown;
      await this.#context.write((tx) => noteRecoveryFailed(tx, workflowKey, message));
    }
  }

  /** Goes on until the ready jobs have room, or Slurm refuses; then it is tried again later. */
  async #addNodes(workflowKey: number): Promise<void> {
    for (let goesOn = true; goesOn && !this.#isClosed; ) {
      const submission = await this.#context.write((tx) => nodesStep(tx, this.#context, workflowKey));
      if (submission === null) return;
      goesOn = await trySubmission(this.#context, submission);
      if (goesOn || this.#isClosed) continue;
      await this.#context.write((tx) => {
        const refusal = refusalOf(tx, Number(submission.allocationKey));
        if (refusal === null) endNodes(tx, workflowKey);
        else noteNodesRefused(tx, workflowKey, refusal);
      });
    }
  }
}

/** Records the next allocation that the jobs of the last recovery need; null where they need none, and no more then. */
function nodesStep(tx: Transaction, { info, usualRuntimeMs }: StepContext, workflowKey: number): Submission | null {
  if (findRecovery(tx, workflowKey)?.nodesAt == null) return null;
  const { hasEnded, isCanceled, baseDirectory } = getWorkflow(tx, workflowKey);
  const wanted = hasEnded || isCanceled ? null : wantedNodes(tx, workflowKey, usualRuntimeMs);
  const [one] = wanted?.nodes ?? [];
  const config = one === undefined ? null : findSlurmConfig(tx, Number(one.slurm_config_key));
  const outputDirectory = wanted?.output_directory ?? null;
  if (one === undefined || config === null || outputDirectory === null) {
    endNodes(tx, workflowKey);
    return null;
  }
  const batch: Batch = {
    workflowKey: String(workflowKey),
    config: { ...config, num_nodes: one.num_nodes },
    serverDirectory: info.directory,
    outputDirectory,
    workingDirectory: baseDirectory,
    maxParallelJobs: null,
    pollIntervalSeconds: null,
    oneWorkerPerNode: one.one_worker_per_node,
    minimum: one.minimum,
    keepScripts: false,
  };
  const name = nameOf(info, workflowKey, nextAllocationKey(tx));
  const [allocationKey] = recordAllocations(tx, recordOf(batch, name));
  return { batch, name, allocationKey: String(allocationKey) };
}

/** Slurm may not have said yet whether it has an earlier one. */
const lookAgainMs = 60_000;

/** No more are asked for, unless what is recorded turns out not to be there. */
function endNodes(tx: Transaction, workflowKey: number): void {
  const nextAt = findRecovery(tx, workflowKey)?.nextAt ?? null;
  const nodesAt = hasUnconfirmed(tx, workflowKey) ? tx.now + lookAgainMs : null;
  setInstants(tx, workflowKey, { nextAt, nodesAt });
}
