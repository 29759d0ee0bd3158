/** A worker introduces itself. */
import type { Reply, Request } from '../../api/contract.ts';
import { protocolVersion } from '../../api/limits.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { noteRequeue } from '../../storage/evidence/orphans.ts';
import { workerCommands } from '../../storage/running/actions.ts';
import { idleMsOf } from '../../storage/running/autoscalers.ts';
import { registerComputeNode } from '../../storage/running/compute-nodes.ts';
import { getWorkflow, settleBaseDirectory, type Workflow } from '../../storage/running/workflows.ts';
import type { ServerContext } from '../context.ts';
import { refuseOtherDatabase } from '../exchange/other-database.ts';
import { otherProtocol } from '../exchange/other-protocol.ts';

type Hello = Request<'worker_hello'>;
type Welcome = Reply<'worker_hello'>;

/** Answers `gone` to a worker that was already given up: it must end. */
export function greetWorker(tx: Transaction, request: Hello, { epoch, info }: ServerContext): Welcome {
  if (request.protocol !== protocolVersion) throw otherProtocol(request.protocol);
  refuseOtherDatabase(request, info);
  const { identity: database } = info;
  const workflow = getWorkflow(tx, Number(request.workflow_key));
  const node = registerComputeNode(tx, request, workflow.stdio);
  if (node === 'gone') {
    const settings = settingsOf(workflow, workflow.stdio);
    return { answer: 'gone', epoch, database, compute_node_key: '0', workflow_name: workflow.name, settings };
  }
  settleBaseDirectory(tx, workflow, request.working_directory);
  notePredecessors(tx, request);
  const actions = workerCommands(tx, node.computeNodeKey);
  const credentialKey = info.workerKey?.(request.worker_id);
  return {
    answer: 'welcome',
    epoch,
    database,
    compute_node_key: String(node.computeNodeKey),
    workflow_name: workflow.name,
    settings: { ...settingsOf(workflow, node.stdio), ...idleSettings(tx, node) },
    ...(actions.length === 0 ? {} : { actions }),
    ...(credentialKey === undefined ? {} : { credential_key: credentialKey }),
  };
}

/** The lost jobs of this allocation's earlier starts are ready before its new worker asks for work. */
function notePredecessors(tx: Transaction, request: Hello): void {
  const { slurm_job_id: slurmJobId, allocation_key, restart_count: restartCount } = request;
  if (slurmJobId === null || restartCount === 0) return;
  const allocationKey = allocation_key === null ? null : Number(allocation_key);
  noteRequeue(tx, { allocationKey, slurmJobId, restartCount });
}

/** A worker of an autoscaler leaves soon when there is nothing to do: another one is asked for when there is. */
function idleSettings(
  tx: Transaction,
  { allocationKey }: { allocationKey: number | null },
): Partial<Welcome['settings']> {
  const idleMs = idleMsOf(tx, allocationKey);
  return idleMs === null ? {} : { wait_for_new_jobs_seconds: idleMs / 1000, ignore_workflow_completion: false };
}

function settingsOf(workflow: Workflow, stdio: Welcome['settings']['stdio']): Welcome['settings'] {
  return {
    expiration_buffer_seconds: workflow.expirationBufferMs / 1000,
    wait_for_new_jobs_seconds: workflow.waitForNewJobsMs / 1000,
    ignore_workflow_completion: workflow.ignoreWorkflowCompletion,
    wait_for_healthy_database_minutes: workflow.waitForHealthyDatabaseMs / 60_000,
    sample_interval_seconds: workflow.sampleIntervalMs === null ? null : workflow.sampleIntervalMs / 1000,
    stdio,
    termination_signal: workflow.terminationSignal,
    sigterm_lead_seconds: workflow.sigtermLeadMs / 1000,
    create_output_folders: workflow.createOutputFolders,
  };
}
