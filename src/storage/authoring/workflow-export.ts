/** Exports a stored workflow page by page in the words of a specification, with names instead of keys. */

import type { ExportedAction, ExportedJob, Reply, Request } from '../../api/contract.ts';
import { type Json, parseJson } from '../../base/exact-json.ts';
import { noLimits } from '../../model/decide/concurrency.ts';
import { specDefaults } from '../../model/expand/defaults.ts';
import type { StdioMode, TerminationSignal } from '../../model/expanded.ts';
import { type LabelSet, labelsIn, noLabels } from '../../model/labels.ts';
import type { Execution } from '../../model/launch.ts';
import type { Transaction } from '../database/transaction.ts';
import type { ActionDefinition } from '../running/actions.ts';
import { personsHold } from '../running/holds.ts';
import { readEnvironment, readLaunch } from '../running/launch.ts';
import { exportedRules } from '../running/notifications.ts';
import { failureHandlers } from '../running/retries.ts';
import { getWorkflow } from '../running/workflows.ts';
import { exportedAddition } from './added-jobs.ts';
import { readAttributes } from './attributes.ts';
import { dependencesOf, usedNames } from './exported-dependences.ts';
import { hasUnlimitedMemory, type RequirementsRow, requirementsOf } from './exported-requirements.ts';
import type { JobRow } from './job-rows.ts';

type ExportedHead = NonNullable<Reply<'workflow_export'>['head']>;

export function exportPage(tx: Transaction, request: Request<'workflow_export'>): Reply<'workflow_export'> {
  const { workflowKey } = getWorkflow(tx, Number(request.workflow_key));
  const { limit, skip } = request;
  const nothing = { head: null, jobs: [], barriers: [], action_jobs: [], more: false };
  switch (request.part) {
    case 'head':
      return { ...nothing, head: headOf(tx, workflowKey) };
    case 'barriers': {
      const barriers = barrierPage(tx, workflowKey, limit + 1, skip);
      return { ...nothing, barriers: barriers.slice(0, limit), more: barriers.length > limit };
    }
    case 'action_jobs': {
      const pairs = actionJobPage(tx, workflowKey, limit + 1, skip);
      return { ...nothing, action_jobs: pairs.slice(0, limit), more: pairs.length > limit };
    }
    case 'jobs': {
      const rows = exportedJobs(tx, workflowKey, { skip, limit: limit + 1 });
      return { ...nothing, jobs: rows.slice(0, limit).map((row) => jobOf(tx, row)), more: rows.length > limit };
    }
  }
}

interface WorkflowRow {
  name: string;
  user: string;
  tool: string | null;
  args: string | null;
  description: string | null;
  project: string | null;
  metadata: string | null;
  attributes: string | null;
  env: string | null;
  expiration_buffer_ms: number;
  wait_for_new_jobs_ms: number;
  ignore_workflow_completion: number;
  wait_for_healthy_database_ms: number;
  sample_interval_ms: number | null;
  jobs_sort_method: ExportedHead['workflow']['jobs_sort_method'];
  stdio: StdioMode;
  pin: number;
  execution: Execution;
  max_losses: number;
  max_dynamic_jobs: number;
  max_failures: number | null;
  max_concurrent_jobs: number | null;
  timeout_ms: number | null;
  termination_signal: TerminationSignal;
  sigterm_lead_ms: number;
  create_output_folders: number;
}

function headOf(tx: Transaction, workflowKey: number): ExportedHead | null {
  const row = tx.db.get<WorkflowRow>('SELECT * FROM workflows WHERE workflow_key = ?', workflowKey);
  if (row === undefined) return null;
  const isUnlimited = hasUnlimitedMemory(tx, workflowKey);
  const workflow: ExportedHead['workflow'] = {
    name: row.name,
    user: row.user,
    tool: row.tool,
    args: row.args,
    description: row.description,
    project: row.project,
    metadata: row.metadata === null ? null : (parseJson(row.metadata) as Json),
    attributes: row.attributes === null ? null : readAttributes(row.attributes),
    env: row.env === null ? null : readEnvironment(row.env),
    compute_node_expiration_buffer_seconds: row.expiration_buffer_ms / 1000,
    compute_node_wait_for_new_jobs_seconds: row.wait_for_new_jobs_ms / 1000,
    compute_node_ignore_workflow_completion: row.ignore_workflow_completion === 1,
    compute_node_wait_for_healthy_database_minutes: row.wait_for_healthy_database_ms / 60_000,
    jobs_sort_method: row.jobs_sort_method,
    // not fields of torc's own format
    stdio: row.stdio === 'files' ? null : row.stdio,
    pin: row.pin === 1 ? true : null,
    execution: row.execution === 'direct' ? null : row.execution,
    max_losses: row.max_losses === specDefaults.maxLosses ? null : row.max_losses,
    max_dynamic_jobs: row.max_dynamic_jobs === specDefaults.maxDynamicJobs ? null : row.max_dynamic_jobs,
    max_failures: row.max_failures,
    max_concurrent_jobs: row.max_concurrent_jobs,
    limits: limitsOf(tx, workflowKey),
    timeout: row.timeout_ms === null ? null : `PT${row.timeout_ms / 1000}S`,
    termination_signal: row.termination_signal === specDefaults.terminationSignal ? null : row.termination_signal,
    sigterm_lead_seconds:
      row.sigterm_lead_ms === specDefaults.sigtermLeadSeconds * 1000 ? null : row.sigterm_lead_ms / 1000,
    create_output_folders: row.create_output_folders === 1 ? null : false,
    execution_config: isUnlimited ? { limit_resources: false } : null,
  };
  const named = tx.db.all<RequirementsRow>(
    'SELECT * FROM resource_requirements WHERE workflow_key = ? AND name IS NOT NULL ORDER BY 1',
    workflowKey,
  );
  return {
    workflow,
    resource_requirements: named.map((each) => requirementsOf(tx, each, () => isUnlimited)),
    failure_handlers: failureHandlers(tx, workflowKey),
    sample_interval_seconds: row.sample_interval_ms === null ? null : row.sample_interval_ms / 1000,
    actions: actionsOf(tx, workflowKey),
    notifications: exportedRules(tx, workflowKey),
  };
}

/** Its own ones; null without any. */
function limitsOf(tx: Transaction, workflowKey: number): Record<string, number> | null {
  const sql = 'SELECT name, maximum FROM limits WHERE workflow_key = ? ORDER BY name';
  const rows = tx.db.all<{ name: string; maximum: number }>(sql, workflowKey);
  return rows.length === 0 ? null : Object.fromEntries(rows.map(({ name, maximum }) => [name, maximum]));
}

interface ActionRow {
  action_key: number;
  trigger_type: ExportedAction['trigger_type'];
  action_type: ExportedAction['action_type'];
  is_persistent: number;
  definition: string;
}

/** Leaves out actions whose jobs were all deleted: they never fire, and no specification could express them. */
function actionsOf(tx: Transaction, workflowKey: number): ExportedAction[] {
  return tx.db
    .all<ActionRow>(
      `SELECT * FROM actions WHERE workflow_key = ?
         AND (num_jobs > 0 OR trigger_type NOT IN ('on_jobs_ready', 'on_jobs_complete')) ORDER BY action_key`,
      workflowKey,
    )
    .map((row) => ({
      ...(JSON.parse(row.definition) as ActionDefinition),
      action_key: String(row.action_key),
      trigger_type: row.trigger_type,
      action_type: row.action_type,
      persistent: row.is_persistent === 1,
    }));
}

function actionJobPage(
  tx: Transaction,
  workflowKey: number,
  limit: number,
  skip: number,
): { action_key: string; job_name: string }[] {
  return tx.db
    .all<{ action_key: number; name: string }>(
      `SELECT a.action_key, j.name FROM actions a JOIN action_jobs aj ON aj.action_key = a.action_key
       JOIN jobs j ON j.job_key = aj.job_key
       WHERE a.workflow_key = ? ORDER BY a.action_key, aj.job_key LIMIT ? OFFSET ?`,
      workflowKey,
      limit,
      skip,
    )
    .map((row) => ({ action_key: String(row.action_key), job_name: row.name }));
}

function barrierPage(
  tx: Transaction,
  workflowKey: number,
  limit: number,
  skip: number,
): { barrier_key: string; depends_on: string }[] {
  return tx.db
    .all<{ barrier_key: number; name: string }>(
      `SELECT b.barrier_key, j.name FROM barriers b JOIN edges e ON e.downstream = -b.barrier_key
       JOIN jobs j ON j.job_key = e.upstream WHERE b.workflow_key = ? ORDER BY b.barrier_key, e.upstream LIMIT ? OFFSET ?`,
      workflowKey,
      limit,
      skip,
    )
    .map((row) => ({ barrier_key: String(row.barrier_key), depends_on: row.name }));
}

interface ExportedJobRow extends JobRow {
  requirements: string | null;
  scheduler: string | null;
  labels: LabelSet | null;
  limits: LabelSet | null;
  failure_handler: string | null;
  attributes: string | null;
  launch: string | null;
}

/** Rows of a workflow's jobs with the names of what they name, in stored order. */
export function exportedJobs(
  tx: Transaction,
  workflowKey: number,
  { after = 0, skip = 0, limit, only = '1' }: { after?: number; skip?: number; limit: number; only?: string },
): ExportedJobRow[] {
  return tx.db.all<ExportedJobRow>(
    `SELECT j.*, r.name AS requirements, c.name AS scheduler, s.labels, s.limits, h.name AS failure_handler, t.attributes,
       l.launch
     FROM jobs j
     LEFT JOIN resource_requirements r ON r.resource_requirements_key = j.resource_requirements_key
     LEFT JOIN shapes s ON s.shape_key = j.shape_key
     LEFT JOIN slurm_configs c ON c.slurm_config_key = s.slurm_config_key
     LEFT JOIN failure_handlers h ON h.failure_handler_key = j.failure_handler_key
     LEFT JOIN job_attributes t ON t.job_key = j.job_key
     LEFT JOIN job_launch l ON l.job_key = j.job_key
     WHERE j.workflow_key = ? AND j.job_key > ? AND ${only} ORDER BY j.job_key LIMIT ? OFFSET ?`,
    workflowKey,
    after,
    limit,
    skip,
  );
}

/** Everything that a specification states about a job, without its name and what it reads, writes and waits for. */
export function jobSettings(tx: Transaction, row: ExportedJobRow): JobSettings {
  const hasOwn = row.requirements === null && row.resource_requirements_key !== null;
  return {
    command: row.command,
    ...(row.identity === null ? {} : { identity: row.identity }),
    invocation_script: row.invocation_script,
    resource_requirements: row.requirements,
    scheduler: row.scheduler,
    ...(row.labels === null || row.labels === noLabels ? {} : { labels: labelsIn(row.labels) }),
    ...(row.limits === null || row.limits === noLimits ? {} : { limits: labelsIn(row.limits) }),
    failure_handler: row.failure_handler,
    priority: row.priority,
    cancel_on_blocking_job_failure: row.cancel_on_blocking_job_failure === 1,
    supports_termination: row.supports_termination === 1,
    ...(row.task_failure_is_success === 1 ? { task_failure_is_success: true } : {}),
    ...(row.max_wait_ms === null ? {} : { max_wait_ms: row.max_wait_ms }),
    ...(row.attributes === null ? {} : { attributes: readAttributes(row.attributes) }),
    ...readLaunch(row.launch),
    own_requirements: hasOwn
      ? requirementsOf(tx, { resource_requirements_key: null, name: null, shape_key: row.shape_key }, () =>
          hasUnlimitedMemory(tx, row.workflow_key),
        )
      : null,
  };
}

type JobSettings = Omit<
  ExportedJob,
  | 'name'
  | 'added'
  | 'hold'
  | 'depends_on'
  | 'barriers'
  | 'input_files'
  | 'output_files'
  | 'input_user_data'
  | 'output_user_data'
>;

function jobOf(tx: Transaction, row: ExportedJobRow): ExportedJob {
  const { job_key: jobKey } = row;
  const added = exportedAddition(tx, jobKey);
  return {
    name: row.name,
    ...jobSettings(tx, row),
    ...(added === null ? {} : { added }),
    ...(personsHold(tx, jobKey) === null ? {} : { hold: true }),
    ...dependencesOf(tx, jobKey),
    input_files: usedNames(tx, jobKey, 'files', 0),
    output_files: usedNames(tx, jobKey, 'files', 1),
    input_user_data: usedNames(tx, jobKey, 'user_data', 0),
    output_user_data: usedNames(tx, jobKey, 'user_data', 1),
  };
}
