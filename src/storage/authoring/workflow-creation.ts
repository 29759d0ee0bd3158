/**
 * Stores a new workflow in chunks; it stays invisible until it is complete, and an incomplete one is dropped at the
 * next open.
 */

import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import type { AutoSize } from '../../model/auto-size.ts';
import { sortRanks } from '../../model/decide/claim-order.ts';
import { specDefaults } from '../../model/expand/defaults.ts';
import { defaultRequirements, type FromData, type Requirements } from '../../model/job.ts';
import { neededResources } from '../../model/named-resources.ts';
import type { NotificationRule } from '../../model/notification.ts';
import type { Transaction } from '../database/transaction.ts';
import { addActionJobs, countActionJobs, storeActions } from '../running/actions.ts';
import { countFirstHolds, holdFromStart } from '../running/holds.ts';
import { storedEnvironment } from '../running/launch.ts';
import { maxConcurrentChanged, storeLimit } from '../running/limits.ts';
import { storeFromData } from '../running/needs-from-data.ts';
import { storeRules } from '../running/notifications.ts';
import { storeFailureHandlers } from '../running/retries.ts';
import { internShape, plainRequest } from '../running/shapes.ts';
import { type KeyRun, storeUpstreamOrder } from '../running/upstream-orders.ts';
import { storeUserData } from '../running/user-data.ts';
import { findWorkflow, type Workflow } from '../running/workflows.ts';
import { storedAttributes } from './attributes.ts';
import { CreationReferences } from './creation-references.ts';
import { refuseCycles } from './cycles.ts';
import { addEdge, insertJob } from './job-rows.ts';
import { JobStems } from './job-stems.ts';
import { drawNew, fewestDrawn } from './new-drawing.ts';
import { ownerOf } from './owner.ts';
import { reserveKeys } from './reserved-keys.ts';
import { storeSlurmConfig } from './slurm-configs.ts';
import { identityOf, refuseKnown, takeIdentity } from './workflow-identity.ts';

/** Begins a workflow that stays invisible until `finishCreate`. Throws 'conflict' when there is one with its identity. */
export function beginCreate(tx: Transaction, request: Request<'workflow_create_begin'>): number {
  const user = ownerOf(tx.person, request.user);
  refuseKnown(tx, identityOf({ ...request, user }));
  const { key } = tx.db.run(
    `INSERT INTO workflows (name, user, tool, args, description, project, metadata, attributes, env, expiration_buffer_ms, wait_for_new_jobs_ms,
       ignore_workflow_completion, wait_for_healthy_database_ms, sample_interval_ms, stdio, pin, execution, max_losses, max_dynamic_jobs, max_failures, max_concurrent_jobs, timeout_ms, base_directory,
       termination_signal, sigterm_lead_ms, create_output_folders, jobs_sort_method, phase, first_job_key,
       num_spec_jobs, first_file_key, num_spec_files, first_user_data_key, num_spec_user_data, first_barrier_key, num_barriers,
       created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'creating', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    request.name,
    user,
    request.tool ?? null,
    request.args ?? null,
    request.description,
    request.project,
    request.metadata === null ? null : jsonText(request.metadata),
    storedAttributes(request.attributes),
    storedEnvironment(request.env),
    request.expiration_buffer_seconds * 1000,
    request.wait_for_new_jobs_seconds * 1000,
    request.ignore_workflow_completion ? 1 : 0,
    request.wait_for_healthy_database_minutes * 60_000,
    request.sample_interval_seconds === null ? null : Math.round(request.sample_interval_seconds * 1000),
    request.stdio ?? 'files',
    request.pin === true ? 1 : 0,
    request.execution ?? 'direct',
    request.max_losses ?? specDefaults.maxLosses,
    request.max_dynamic_jobs ?? specDefaults.maxDynamicJobs,
    request.max_failures ?? null,
    request.max_concurrent_jobs ?? null,
    request.timeout_ms ?? null,
    request.base_directory ?? null,
    request.termination_signal ?? specDefaults.terminationSignal,
    (request.sigterm_lead_seconds ?? specDefaults.sigtermLeadSeconds) * 1000,
    request.create_output_folders === false ? 0 : 1,
    request.jobs_sort_method,
    reserveKeys(tx, 'jobs', request.num_jobs),
    request.num_jobs,
    reserveKeys(tx, 'files', request.num_files),
    request.num_files,
    reserveKeys(tx, 'user_data', request.num_user_data),
    request.num_user_data,
    reserveKeys(tx, 'barriers', request.num_barriers),
    request.num_barriers,
    tx.now,
  );
  const all: (Requirements & { name: string | null; fromData?: FromData | undefined })[] = [
    { ...defaultRequirements, name: null },
    ...request.requirements.map((r) => ({ name: r.name, ...requestedNeed(r), fromData: r.from_data })),
  ];
  const ranks = sortRanks(request.jobs_sort_method, all);
  for (const [index, need] of all.entries()) {
    const shapeKey = internShape(tx, key, plainRequest(need), ranks[index] ?? 0);
    const insert = 'INSERT INTO resource_requirements (workflow_key, name, shape_key) VALUES (?, ?, ?)';
    const { key: requirementsKey } = tx.db.run(insert, key, need.name, shapeKey);
    if (need.fromData !== undefined) storeFromData(tx, key, requirementsKey, need.fromData);
  }
  for (const limit of request.limits ?? []) storeLimit(tx, { workflowKey: key, ...limit });
  if (request.max_concurrent_jobs !== undefined) maxConcurrentChanged(tx, key);
  for (const config of request.slurm_configs) storeSlurmConfig(tx, key, config);
  storeFailureHandlers(tx, key, request.failure_handlers);
  if (request.actions !== undefined) storeActions(tx, key, request.actions);
  storeRules(tx, key, statedRules(request.notifications ?? []));
  return key;
}

/** Notification rules as a request states them. */
export function statedRules(
  stated: NonNullable<Request<'workflow_create_begin'>['notifications']>,
): NotificationRule[] {
  return stated.map(({ token_file: tokenFile, ...rule }) => ({ ...rule, tokenFile }));
}

export function requestedNeed(requirements: Request<'workflow_create_begin'>['requirements'][number]): Requirements {
  return {
    numCpus: requirements.num_cpus,
    memoryBytes: requirements.memory_bytes,
    gpuThousandths: requirements.gpu_thousandths,
    numNodes: requirements.num_nodes,
    runtimeMs: requirements.runtime_ms,
    isMemoryStated: requirements.is_memory_stated,
    isRuntimeStated: requirements.is_runtime_stated,
    ...(requirements.expected_runtime_ms === undefined ? {} : { expectedMs: requirements.expected_runtime_ms }),
    ...neededResources(requirements.resources),
  };
}

/** Adds a chunk of jobs, files and edges; a repeated chunk changes nothing. */
export function addChunk(tx: Transaction, request: Request<'workflow_create_chunk'>): void {
  const workflow = creating(tx, Number(request.workflow_key));
  checkRange('job', request.first_job, request.jobs.length, workflow.numSpecJobs);
  checkRange('file', request.first_file, request.files.length, workflow.numSpecFiles);
  checkRange('user data', request.first_user_data, request.user_data.length, workflow.numSpecUserData);
  const references = new CreationReferences(tx, workflow.workflowKey);
  const stems = new JobStems(tx, workflow.workflowKey);
  for (const [index, file] of request.files.entries()) {
    tx.db.run(
      'INSERT INTO files (file_key, workflow_key, name, path) VALUES (?, ?, ?, ?) ON CONFLICT (file_key) DO NOTHING',
      workflow.firstFileKey + request.first_file + index,
      workflow.workflowKey,
      file.name,
      file.path,
    );
  }
  for (const [index, datum] of request.user_data.entries()) {
    storeUserData(tx, workflow.workflowKey, datum, workflow.firstUserDataKey + request.first_user_data + index);
  }
  const { firstFileKey, numSpecFiles, firstUserDataKey, numSpecUserData } = workflow;
  const fileKeys = (places: readonly number[]) => keysAt('file', places, firstFileKey, numSpecFiles);
  const userDataKeys = (places: readonly number[]) => keysAt('user data', places, firstUserDataKey, numSpecUserData);
  for (const [index, job] of request.jobs.entries()) {
    const { workflowKey } = workflow;
    const jobKey = workflow.firstJobKey + request.first_job + index;
    insertJob(
      tx,
      {
        jobKey,
        workflowKey,
        stated: job,
        references: references.of(job),
        inputFiles: fileKeys(job.input_files),
        outputFiles: fileKeys(job.output_files),
        inputUserData: userDataKeys(job.input_user_data),
        outputUserData: userDataKeys(job.output_user_data),
      },
      stems,
    );
    if (job.upstream_order !== undefined) {
      const runs = job.upstream_order.map(([first, length]): KeyRun => {
        checkRange('job', first, length, workflow.numSpecJobs);
        return [workflow.firstJobKey + first, length];
      });
      storeUpstreamOrder(tx, jobKey, runs);
    }
    if (job.hold === true) holdFromStart(tx, { jobKey, workflowKey });
  }
  stems.store();
  for (const [upstream, downstream] of request.edges) {
    addEdge(tx, nodeKey(workflow, upstream), nodeKey(workflow, downstream));
  }
  const actionJobs = (request.action_jobs ?? []).map(([action, job]): [number, number] => {
    checkRange('job', job, 1, workflow.numSpecJobs);
    return [action, workflow.firstJobKey + job];
  });
  addActionJobs(tx, workflow.workflowKey, actionJobs);
}

/** Places in the specification as keys. */
function keysAt(what: string, places: readonly number[], firstKey: number, total: number): number[] {
  const keys: number[] = [];
  for (const place of places) {
    checkRange(what, place, 1, total);
    keys.push(firstKey + place);
  }
  return keys;
}

function nodeKey(workflow: Workflow, node: number): number {
  if (node >= 0) {
    checkRange('job', node, 1, workflow.numSpecJobs);
    return workflow.firstJobKey + node;
  }
  checkRange('barrier', -1 - node, 1, workflow.numBarriers);
  return -(workflow.firstBarrierKey + (-1 - node));
}

function checkRange(what: string, first: number, count: number, total: number): void {
  if (first < 0 || first + count > total) {
    throw new TorcError('usage', `${what} ${first + count - 1} is beyond the announced number of ${total}`);
  }
}

function creating(tx: Transaction, workflowKey: number): Workflow {
  const workflow = findWorkflow(tx, workflowKey);
  if (workflow?.phase !== 'creating') {
    throw new TorcError('not_found', `workflow ${workflowKey} is not being created`, 'Create it again.');
  }
  return workflow;
}

/**
 * Makes a workflow visible. Throws 'usage' when jobs are missing or wait for each other in a cycle, 'conflict' when another
 * one has taken its identity meanwhile.
 */
export function finishCreate(
  tx: Transaction,
  workflowKey: number,
): { numJobs: number; numFiles: number; numUserData: number; numEdges: number; numBarriers: number } {
  const workflow = creating(tx, workflowKey);
  const { firstJobKey, numSpecJobs, firstBarrierKey, numBarriers } = workflow;
  const lastJobKey = firstJobKey + numSpecJobs - 1;
  const lastBarrierKey = firstBarrierKey + numBarriers - 1;
  const count = (sql: string, ...values: unknown[]): number => tx.db.get<{ n: number }>(sql, ...values)?.n ?? 0;
  const stored = count('SELECT count(*) AS n FROM jobs WHERE job_key BETWEEN ? AND ?', firstJobKey, lastJobKey);
  if (stored !== numSpecJobs) {
    throw new TorcError('usage', `${stored} of ${numSpecJobs} jobs arrived`, 'Create the workflow again.');
  }
  if (numBarriers > 0) {
    tx.db.run(
      `WITH RECURSIVE keys (k) AS (SELECT ? UNION ALL SELECT k + 1 FROM keys WHERE k < ?)
       INSERT INTO barriers (barrier_key, workflow_key, num_blockers)
       SELECT k, ?, (SELECT count(*) FROM edges WHERE downstream = -k) FROM keys`,
      firstBarrierKey,
      lastBarrierKey,
      workflowKey,
    );
    const stuck = tx.db.get(
      `SELECT 1 FROM barriers WHERE workflow_key = ? AND num_blockers = 0
         AND EXISTS (SELECT 1 FROM edges WHERE upstream = -barrier_key) LIMIT 1`,
      workflowKey,
    );
    // no end of a job would ever release the jobs downstream of it
    if (stuck !== undefined) throw new TorcError('usage', 'jobs wait for a barrier that waits for nothing');
  }
  refuseCycles(tx, workflow);
  const counted = tx.db.allRows<[downstream: number, n: number]>(
    'SELECT downstream, count(*) AS n FROM edges WHERE downstream BETWEEN ? AND ? GROUP BY downstream',
    firstJobKey,
    lastJobKey,
  );
  let numEdges = 0;
  for (const [downstream, n] of counted) {
    tx.db.run('UPDATE jobs SET num_blockers = ? WHERE job_key = ?', n, downstream);
    numEdges += n;
  }
  countFirstHolds(tx, workflowKey);
  if (numBarriers > 0) {
    numEdges += count('SELECT coalesce(sum(num_blockers), 0) AS n FROM barriers WHERE workflow_key = ?', workflowKey);
  }
  countActionJobs(tx, workflowKey);
  if (numSpecJobs >= fewestDrawn) drawNew(tx, workflow);
  tx.count(workflowKey, 'uninitialized', false, numSpecJobs);
  takeIdentity(tx, workflowKey);
  tx.db.run(`UPDATE workflows SET phase = 'created' WHERE workflow_key = ?`, workflowKey);
  tx.event({ workflowKey, type: 'workflow_created', data: { num_jobs: numSpecJobs } });
  return {
    numJobs: numSpecJobs,
    numFiles: count('SELECT count(*) AS n FROM files WHERE workflow_key = ?', workflowKey),
    numUserData: count('SELECT count(*) AS n FROM user_data WHERE workflow_key = ?', workflowKey),
    numEdges,
    numBarriers,
  };
}

/** Where requests come from that differ from what was written. */
export function recordSizes(tx: Transaction, workflowKey: number, { workflow_keys, sizes }: AutoSize): void {
  for (const { memory_bytes, runtime_seconds, ...size } of sizes) {
    const isSized = [memory_bytes, runtime_seconds].some(({ requested, new_request }) => requested !== new_request);
    if (!isSized) continue;
    tx.event({ workflowKey, type: 'jobs_auto_sized', data: { ...size, memory_bytes, runtime_seconds, workflow_keys } });
  }
}
