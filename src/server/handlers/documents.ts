/** Whole workflows in and out: creation in chunks, export, import of a history. */
import type { Reply, Request } from '../../api/contract.ts';
import { addChunk, beginCreate, finishCreate, recordSizes } from '../../storage/authoring/workflow-creation.ts';
import { exportPage } from '../../storage/authoring/workflow-export.ts';
import { finishImport } from '../../storage/authoring/workflow-import.ts';
import { outlinePage } from '../../storage/authoring/workflow-outline.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { ServerContext } from '../context.ts';

export function beginCreation(
  tx: Transaction,
  request: Request<'workflow_create_begin'>,
): Reply<'workflow_create_begin'> {
  return { workflow_key: String(beginCreate(tx, request)) };
}

export function createChunk(
  tx: Transaction,
  request: Request<'workflow_create_chunk'>,
): Reply<'workflow_create_chunk'> {
  addChunk(tx, request);
  return { num_jobs: request.jobs.length };
}

export function finishCreation(
  tx: Transaction,
  { workflow_key, auto_size }: Request<'workflow_create_finish'>,
): Reply<'workflow_create_finish'> {
  const made = finishCreate(tx, Number(workflow_key));
  if (auto_size !== undefined) recordSizes(tx, Number(workflow_key), auto_size);
  return {
    workflow_key,
    num_jobs: made.numJobs,
    num_files: made.numFiles,
    num_user_data: made.numUserData,
    num_edges: made.numEdges,
    num_barriers: made.numBarriers,
  };
}

export function exportWorkflow({ view }: ServerContext, request: Request<'workflow_export'>): Reply<'workflow_export'> {
  return exportPage(view, request);
}

export function finishHistory(
  tx: Transaction,
  request: Request<'workflow_import_finish'>,
): Reply<'workflow_import_finish'> {
  finishImport(tx, request);
  return { workflow_key: request.workflow_key, run_id: request.run_id };
}

export function outlineWorkflow(
  { view }: ServerContext,
  request: Request<'workflow_outline'>,
): Reply<'workflow_outline'> {
  return outlinePage(view, request);
}
