/** Storing a new workflow in chunks; it stays invisible until the last one, and a half-made one is dropped at the next open. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { sortRanks } from '../../model/decide/claim-order.ts';
import { defaultRequirements, type Requirements } from '../../model/job.ts';
import type { Transaction } from '../database/transaction.ts';
import { addActionJobs, countActionJobs, storeActions } from '../running/actions.ts';
import { storeFailureHandlers } from '../running/retries.ts';
import { anyConfig, internShape, readShape } from '../running/shapes.ts';
import { storeUserData } from '../running/user-data.ts';
import { findWorkflow, type Workflow } from '../running/workflows.ts';
import { refuseCycles } from './cycles.ts';
import { storeSlurmConfig } from './slurm-configs.ts';

/** Reserves contiguous keys in a table with AUTOINCREMENT; returns the first. Keys are never reused. */
function reserveKeys(tx: Transaction, table: string, count: number): number {
  const row = tx.db.get('SELECT seq FROM sqlite_sequence WHERE name = ?', table);
  const last = (row?.seq as number | undefined) ?? 0;
  if (count > 0) {
    if (row === undefined) tx.db.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', table, count);
    else tx.db.run('UPDATE sqlite_sequence SET seq = ? WHERE name = ?', last + count, table);
  }
  return last + 1;
}

/** Begins a workflow that stays invisible until `finishCreate`. */
export function beginCreate(tx: Transaction, request: Request<'workflow_create_begin'>): number {
  const { key } = tx.db.run(
    `INSERT INTO workflows (name, user, description, project, metadata, expiration_buffer_ms, wait_for_new_jobs_ms,
       ignore_workflow_completion, wait_for_healthy_database_ms, sample_interval_ms, stdio, jobs_sort_method, phase, first_job_key,
       num_spec_jobs, first_file_key, num_spec_files, first_user_data_key, num_spec_user_data, first_barrier_key, num_barriers,
       created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'creating', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    request.name,
    request.user,
    request.description,
    request.project,
    request.metadata === null ? null : JSON.stringify(request.metadata),
    request.expiration_buffer_seconds * 1000,
    request.wait_for_new_jobs_seconds * 1000,
    request.ignore_workflow_completion ? 1 : 0,
    request.wait_for_healthy_database_minutes * 60_000,
    request.sample_interval_seconds === null ? null : Math.round(request.sample_interval_seconds * 1000),
    request.stdio ?? 'files',
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
  const all: (Requirements & { name: string | null })[] = [
    { ...defaultRequirements, name: null },
    ...request.requirements.map((r) => ({
      name: r.name,
      numCpus: r.num_cpus,
      memoryBytes: r.memory_bytes,
      gpuThousandths: r.gpu_thousandths,
      numNodes: r.num_nodes,
      runtimeMs: r.runtime_ms,
      isMemoryStated: r.is_memory_stated,
      isRuntimeStated: r.is_runtime_stated,
    })),
  ];
  const ranks = sortRanks(request.jobs_sort_method, all);
  for (const [index, need] of all.entries()) {
    const shapeKey = internShape(tx, key, need, anyConfig, ranks[index] ?? 0);
    tx.db.run(
      'INSERT INTO resource_requirements (workflow_key, name, shape_key) VALUES (?, ?, ?)',
      key,
      need.name,
      shapeKey,
    );
  }
  for (const config of request.slurm_configs) storeSlurmConfig(tx, key, config);
  storeFailureHandlers(tx, key, request.failure_handlers);
  if (request.actions !== undefined) storeActions(tx, key, request.actions);
  return key;
}

/** Adds a chunk of jobs, files and edges; a repeated chunk changes nothing. */
export function addChunk(tx: Transaction, request: Request<'workflow_create_chunk'>): void {
  const workflow = creating(tx, Number(request.workflow_key));
  checkRange('job', request.first_job, request.jobs.length, workflow.numSpecJobs);
  checkRange('file', request.first_file, request.files.length, workflow.numSpecFiles);
  checkRange('user data', request.first_user_data, request.user_data.length, workflow.numSpecUserData);
  const references = new References(tx, workflow.workflowKey);
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
  for (const [index, job] of request.jobs.entries()) {
    insertJob(tx, workflow, workflow.firstJobKey + request.first_job + index, job, references.of(job));
  }
  for (const [upstream, downstream] of request.edges) {
    tx.db.run(
      'INSERT OR IGNORE INTO edges (upstream, downstream) VALUES (?, ?)',
      nodeKey(workflow, upstream),
      nodeKey(workflow, downstream),
    );
  }
  const actionJobs = (request.action_jobs ?? []).map(([action, job]): [number, number] => {
    checkRange('job', job, 1, workflow.numSpecJobs);
    return [action, workflow.firstJobKey + job];
  });
  addActionJobs(tx, workflow.workflowKey, actionJobs);
}

type NewJob = Request<'workflow_create_chunk'>['jobs'][number];

interface JobReferences {
  requirementsKey: number | null;
  shapeKey: number;
  failureHandlerKey: number | null;
}

/** What the jobs of a chunk name by its place in the workflow, as keys. */
class References {
  readonly #tx: Transaction;
  readonly #workflowKey: number;
  /** In the order in which they were given; the first are the defaults of jobs without any. */
  readonly #requirements: Record<string, number>[];
  readonly #configs: number[];
  readonly #handlers: number[];
  /** Of restricted jobs, by requirements and config. */
  readonly #shapes = new Map<string, number>();

  constructor(tx: Transaction, workflowKey: number) {
    this.#tx = tx;
    this.#workflowKey = workflowKey;
    this.#requirements = tx.db.all(
      `SELECT r.resource_requirements_key, r.shape_key, s.sort_rank FROM resource_requirements r
       JOIN shapes s ON s.shape_key = r.shape_key WHERE r.workflow_key = ? ORDER BY r.resource_requirements_key`,
      workflowKey,
    ) as Record<string, number>[];
    this.#configs = this.#keys('SELECT slurm_config_key AS key FROM slurm_configs WHERE workflow_key = ? ORDER BY 1');
    this.#handlers = this.#keys(
      'SELECT failure_handler_key AS key FROM failure_handlers WHERE workflow_key = ? ORDER BY 1',
    );
  }

  #keys(sql: string): number[] {
    return this.#tx.db.all(sql, this.#workflowKey).map((row) => row.key as number);
  }

  of(job: NewJob): JobReferences {
    const requirements = this.#requirements[job.requirements === null ? 0 : job.requirements + 1];
    if (requirements === undefined) throw noSuch(job, 'requirements');
    const shapeKey = requirements.shape_key as number;
    return {
      requirementsKey: job.requirements === null ? null : (requirements.resource_requirements_key as number),
      shapeKey: job.slurm_config === undefined ? shapeKey : this.#restrictedShape(job, job.slurm_config, requirements),
      failureHandlerKey: job.failure_handler === undefined ? null : this.#handlerKey(job, job.failure_handler),
    };
  }

  #handlerKey(job: NewJob, place: number): number {
    const key = this.#handlers[place];
    if (key === undefined) throw noSuch(job, 'a failure handler');
    return key;
  }

  #restrictedShape(job: NewJob, place: number, requirements: Record<string, number>): number {
    const config = this.#configs[place];
    if (config === undefined) throw noSuch(job, 'a Slurm config');
    const base = requirements.shape_key as number;
    const known = this.#shapes.get(`${base} ${config}`);
    if (known !== undefined) return known;
    const need = readShape(this.#tx, base);
    const made = internShape(this.#tx, this.#workflowKey, need, config, requirements.sort_rank as number);
    this.#shapes.set(`${base} ${config}`, made);
    return made;
  }
}

function noSuch(job: NewJob, what: string): TorcError {
  return new TorcError('usage', `job ${job.name} names ${what} that the workflow does not have`);
}

function insertJob(tx: Transaction, workflow: Workflow, jobKey: number, job: NewJob, references: JobReferences): void {
  tx.db.run(
    `INSERT INTO jobs (job_key, workflow_key, name, command, invocation_script, resource_requirements_key, shape_key,
       failure_handler_key, priority, cancel_on_blocking_job_failure, supports_termination)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (job_key) DO NOTHING`,
    jobKey,
    workflow.workflowKey,
    job.name,
    job.command,
    job.invocation_script,
    references.requirementsKey,
    references.shapeKey,
    references.failureHandlerKey,
    job.priority,
    job.cancel_on_blocking_job_failure ? 1 : 0,
    job.supports_termination ? 1 : 0,
  );
  for (const [isOutput, files] of [
    [0, job.input_files],
    [1, job.output_files],
  ] as const) {
    for (const file of files) {
      checkRange('file', file, 1, workflow.numSpecFiles);
      tx.db.run(
        'INSERT OR IGNORE INTO job_files (job_key, file_key, is_output) VALUES (?, ?, ?)',
        jobKey,
        workflow.firstFileKey + file,
        isOutput,
      );
    }
  }
  for (const [isOutput, userData] of [
    [0, job.input_user_data],
    [1, job.output_user_data],
  ] as const) {
    for (const datum of userData) {
      checkRange('user data', datum, 1, workflow.numSpecUserData);
      tx.db.run(
        'INSERT OR IGNORE INTO job_user_data (job_key, user_data_key, is_output) VALUES (?, ?, ?)',
        jobKey,
        workflow.firstUserDataKey + datum,
        isOutput,
      );
    }
  }
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
    throw new TorcError('usage', `${what} ${first + count - 1} is outside the ${total} that were announced`);
  }
}

function creating(tx: Transaction, workflowKey: number): Workflow {
  const workflow = findWorkflow(tx, workflowKey);
  if (workflow?.phase !== 'creating') {
    throw new TorcError('not_found', `workflow ${workflowKey} is not being created`, 'Create it again.');
  }
  return workflow;
}

/** Makes a workflow visible; refuses with 'usage' when jobs are missing or wait for each other in a cycle. */
export function finishCreate(
  tx: Transaction,
  workflowKey: number,
): { numJobs: number; numFiles: number; numUserData: number; numEdges: number; numBarriers: number } {
  const workflow = creating(tx, workflowKey);
  const { firstJobKey, numSpecJobs, firstBarrierKey, numBarriers } = workflow;
  const lastJobKey = firstJobKey + numSpecJobs - 1;
  const lastBarrierKey = firstBarrierKey + numBarriers - 1;
  const stored = tx.db.get('SELECT count(*) AS n FROM jobs WHERE job_key BETWEEN ? AND ?', firstJobKey, lastJobKey);
  if (stored?.n !== numSpecJobs) {
    throw new TorcError('usage', `${stored?.n} of ${numSpecJobs} jobs arrived`, 'Create the workflow again.');
  }
  const files = tx.db.get('SELECT count(*) AS n FROM files WHERE workflow_key = ?', workflowKey);
  const userData = tx.db.get('SELECT count(*) AS n FROM user_data WHERE workflow_key = ?', workflowKey);
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
    // no end of a job would ever let the jobs behind it go
    if (stuck !== undefined) throw new TorcError('usage', 'jobs wait for a barrier that waits for nothing');
  }
  refuseCycles(tx, workflow);
  const counted = tx.db.all(
    'SELECT downstream, count(*) AS n FROM edges WHERE downstream BETWEEN ? AND ? GROUP BY downstream',
    firstJobKey,
    lastJobKey,
  );
  let numEdges = 0;
  for (const row of counted) {
    tx.db.run('UPDATE jobs SET num_blockers = ? WHERE job_key = ?', row.n, row.downstream);
    numEdges += row.n as number;
  }
  if (numBarriers > 0) {
    const row = tx.db.get('SELECT sum(num_blockers) AS n FROM barriers WHERE workflow_key = ?', workflowKey);
    numEdges += (row?.n as number | null) ?? 0;
  }
  countActionJobs(tx, workflowKey);
  tx.count(workflowKey, 'uninitialized', false, numSpecJobs);
  tx.db.run(`UPDATE workflows SET phase = 'created' WHERE workflow_key = ?`, workflowKey);
  tx.event({ workflowKey, type: 'workflow_created', data: { num_jobs: numSpecJobs } });
  return {
    numJobs: numSpecJobs,
    numFiles: files?.n as number,
    numUserData: userData?.n as number,
    numEdges,
    numBarriers,
  };
}
