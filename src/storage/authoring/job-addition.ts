/**
 * Adding jobs to a stored workflow, also to one that runs: with the checks of a specification, and with the status
 * and counters that a job of the specification would have now.
 */
import type { AddedJob, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Direction, substitute } from '../../model/expand/variables.ts';
import { defaultRequirements } from '../../model/job.ts';
import { quoted } from '../../model/spec/names.ts';
import { endedStatuses, type JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { propagateEnd } from '../running/completion.ts';
import { addShape, anyConfig, needOf } from '../running/shapes.ts';
import { moveJob } from '../running/transitions.ts';
import { getWorkflow, type Workflow } from '../running/workflows.ts';
import { keyOfName, unknownName } from './named-parts.ts';

type Kind = 'files' | 'user_data';

/** Jobs can be added after others of the same request, so that these may depend on them. */
export function addJobs(
  tx: Transaction,
  request: Request<'jobs_add'>,
): { job_key: string; name: string; status: string }[] {
  const workflow = getWorkflow(tx, Number(request.workflow_key));
  refuseClosed(workflow);
  return request.jobs.map((job) => new JobAddition(tx, workflow, job).add());
}

function refuseClosed({ workflowKey, phase, isCanceled, isStopping }: Workflow): void {
  const restart = `torc workflows restart ${workflowKey}`;
  if (isCanceled) {
    throw new TorcError('conflict', `workflow ${workflowKey} is canceled`, `Make it go on first: ${restart}`);
  }
  if (phase === 'starting' || isStopping) {
    throw new TorcError('conflict', `workflow ${workflowKey} is about to start`, 'Try again in a moment.');
  }
}

/** A job that the new one waits for, or that waits for it. */
interface Neighbour {
  jobKey: number;
  name: string;
  status: JobStatus;
  failed: boolean;
}

const neighbourColumns = 'j.job_key, j.name, j.status, j.failed';

function neighbourOf(row: Record<string, unknown>): Neighbour {
  return {
    jobKey: row.job_key as number,
    name: row.name as string,
    status: row.status as JobStatus,
    failed: row.failed === 1,
  };
}

class JobAddition {
  readonly #tx: Transaction;
  readonly #workflow: Workflow;
  readonly #job: AddedJob;
  /** Keys of what the job reads and writes, each once. */
  readonly #uses = {
    files: { input: new Set<number>(), output: new Set<number>() },
    user_data: { input: new Set<number>(), output: new Set<number>() },
  };

  constructor(tx: Transaction, workflow: Workflow, job: AddedJob) {
    this.#tx = tx;
    this.#workflow = workflow;
    this.#job = job;
  }

  add(): { job_key: string; name: string; status: string } {
    const { name } = this.#job;
    this.#refuseTakenName();
    const texts = this.#readUses();
    const upstreams = this.#upstreams();
    const downstreams = this.#downstreams();
    this.#refuseCycle(upstreams, downstreams);
    const jobKey = this.#insert(texts, upstreams, downstreams);
    const data = { name, depends_on: [...upstreams.values()].slice(0, 100).map((upstream) => upstream.name) };
    this.#tx.event({ workflowKey: this.#workflow.workflowKey, jobKey, type: 'job_added', data });
    const status =
      this.#workflow.phase === 'started' ? this.#activate(jobKey, [...upstreams.values()]) : 'uninitialized';
    return { job_key: String(jobKey), name, status };
  }

  #refuseTakenName(): void {
    const { name } = this.#job;
    const taken = this.#jobNamed(name);
    if (taken === undefined) return;
    throw new TorcError(
      'conflict',
      `job ${taken.job_key} has the name ${quoted(name)} already`,
      'Choose another name.',
    );
  }

  #jobNamed(name: string): Record<string, unknown> | undefined {
    return this.#tx.db.get(
      `SELECT ${neighbourColumns} FROM jobs j WHERE j.workflow_key = ? AND j.name = ?`,
      this.#workflow.workflowKey,
      name,
    );
  }

  /** Notes what the job reads and writes, listed or named in its texts; returns these with the paths in them. */
  #readUses(): { command: string; script: string | null } {
    const { input_files, output_files, input_user_data, output_user_data } = this.#job;
    for (const name of input_files) this.#use('files', 'input', name);
    for (const name of output_files) this.#use('files', 'output', name);
    for (const name of input_user_data) this.#use('user_data', 'input', name);
    for (const name of output_user_data) this.#use('user_data', 'output', name);
    const { command, invocation_script: script } = this.#job;
    return { command: this.#substituted(command), script: script === null ? null : this.#substituted(script) };
  }

  #substituted(text: string): string {
    return substitute(text, {
      file: (direction, name) => this.#use('files', direction, name).path as string,
      userData: (direction, name) => this.#use('user_data', direction, name),
      refuse: (message) => {
        throw new TorcError(
          'usage',
          `job ${quoted(this.#job.name)}: ${message}`,
          'See torc files list and torc user-data list.',
        );
      },
    });
  }

  #use(kind: Kind, direction: Direction, name: string): Record<string, unknown> {
    const columns = kind === 'files' ? 'file_key AS key, path' : 'user_data_key AS key';
    const { workflowKey } = this.#workflow;
    const row = this.#tx.db.get(
      `SELECT ${columns} FROM ${kind} WHERE workflow_key = ? AND name = ?`,
      workflowKey,
      name,
    );
    const words = kind === 'files' ? 'file' : 'user data';
    if (row === undefined) throw unknownName(this.#tx, workflowKey, kind === 'files' ? 'file' : kind, name);
    const uses = this.#uses[kind];
    uses[direction].add(row.key as number);
    if (uses.input.has(row.key as number) && uses.output.has(row.key as number)) {
      const job = `the job ${quoted(this.#job.name)}`;
      throw new TorcError(
        'usage',
        `${job} both reads and writes the ${words} ${quoted(name)}, so it would wait for itself`,
      );
    }
    return row;
  }

  /** The jobs that are waited for: those named, and the producers of what is read. */
  #upstreams(): Map<number, Neighbour> {
    const found = new Map<number, Neighbour>();
    for (const name of this.#job.depends_on) {
      if (name === this.#job.name) {
        throw new TorcError('usage', `the job ${quoted(name)} depends on itself`, 'Leave it out of --depends-on.');
      }
      const row = this.#jobNamed(name);
      if (row === undefined) throw unknownName(this.#tx, this.#workflow.workflowKey, 'job', name);
      found.set(row.job_key as number, neighbourOf(row));
    }
    for (const kind of ['files', 'user_data'] as const) {
      for (const key of this.#uses[kind].input) {
        for (const producer of this.#users(kind, key, 1)) found.set(producer.jobKey, producer);
      }
    }
    return found;
  }

  /** The jobs that read what this one writes; refuses a second producer, and readers that have begun without it. */
  #downstreams(): Map<number, Neighbour> {
    const found = new Map<number, Neighbour>();
    for (const kind of ['files', 'user_data'] as const) {
      for (const key of this.#uses[kind].output) {
        const [producer] = this.#users(kind, key, 1);
        if (producer !== undefined) this.#refuseSecondProducer(kind, key, producer);
        for (const reader of this.#users(kind, key, 0)) found.set(reader.jobKey, reader);
      }
    }
    const begun = [...found.values()].find(({ status }) =>
      ['ready', 'submitted_pending', 'submitted', 'done'].includes(status),
    );
    if (this.#workflow.phase !== 'started' || begun === undefined) return found;
    throw new TorcError(
      'conflict',
      `job ${begun.jobKey} (${quoted(begun.name)}) reads what the new job writes, and is ${begun.status} already`,
      `torc jobs reset-status ${begun.jobKey}`,
    );
  }

  #users(kind: Kind, key: number, isOutput: number): Neighbour[] {
    const [table, column] = kind === 'files' ? ['job_files', 'file_key'] : ['job_user_data', 'user_data_key'];
    return this.#tx.db
      .all(
        `SELECT ${neighbourColumns} FROM ${table} u JOIN jobs j ON j.job_key = u.job_key
         WHERE u.${column} = ? AND u.is_output = ?`,
        key,
        isOutput,
      )
      .map(neighbourOf);
  }

  #refuseSecondProducer(kind: Kind, key: number, producer: Neighbour): void {
    const row =
      kind === 'files'
        ? this.#tx.db.get('SELECT name FROM files WHERE file_key = ?', key)
        : this.#tx.db.get('SELECT name FROM user_data WHERE user_data_key = ?', key);
    const what = `${kind === 'files' ? 'file' : 'user data'} ${quoted(row?.name as string)}`;
    throw new TorcError(
      'conflict',
      `job ${producer.jobKey} (${quoted(producer.name)}) writes the ${what} already`,
      'Every file and all user data have one producer.',
    );
  }

  /** A way from a reader of the new job's outputs to a job that the new one waits for would close a circle. */
  #refuseCycle(upstreams: ReadonlyMap<number, Neighbour>, downstreams: ReadonlyMap<number, Neighbour>): void {
    const seen = new Set<number>(downstreams.keys());
    const work = upstreams.size === 0 ? [] : [...seen];
    for (let node = work.pop(); node !== undefined; node = work.pop()) {
      const upstream = upstreams.get(node);
      if (upstream !== undefined) {
        throw new TorcError(
          'usage',
          `the job ${quoted(this.#job.name)} would wait for itself: it waits for ${quoted(upstream.name)}, which waits for what it writes`,
          'Leave out one of the two, or give the new job outputs of its own.',
        );
      }
      for (const row of this.#tx.db.all('SELECT downstream FROM edges WHERE upstream = ?', node)) {
        const next = row.downstream as number;
        if (!seen.has(next)) work.push(next);
        seen.add(next);
      }
    }
  }

  #insert(
    { command, script }: { command: string; script: string | null },
    upstreams: ReadonlyMap<number, Neighbour>,
    downstreams: ReadonlyMap<number, Neighbour>,
  ): number {
    const job = this.#job;
    const { db } = this.#tx;
    const { workflowKey } = this.#workflow;
    const requirements = this.#requirements();
    const handler = job.failure_handler === null ? null : this.#named('failure_handler', job.failure_handler);
    const all = [...upstreams.values()];
    const { key: jobKey } = db.run(
      `INSERT INTO jobs (workflow_key, name, command, invocation_script, resource_requirements_key, shape_key,
         failure_handler_key, priority, num_blockers, num_failed_upstreams, cancel_on_blocking_job_failure,
         supports_termination) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      workflowKey,
      job.name,
      command,
      script,
      requirements.key,
      requirements.shapeKey,
      handler,
      job.priority,
      all.filter(({ status }) => !endedStatuses.includes(status)).length,
      all.filter(hasFailed).length,
      job.cancel_on_blocking_job_failure ? 1 : 0,
      job.supports_termination ? 1 : 0,
    );
    this.#tx.count(workflowKey, 'uninitialized', false, 1);
    for (const upstream of upstreams.keys()) addEdge(this.#tx, upstream, jobKey);
    for (const downstream of downstreams.keys()) {
      addEdge(this.#tx, jobKey, downstream);
      db.run('UPDATE jobs SET num_blockers = num_blockers + 1 WHERE job_key = ?', downstream);
    }
    for (const [direction, isOutput] of [
      ['input', 0],
      ['output', 1],
    ] as const) {
      for (const key of this.#uses.files[direction]) {
        db.run('INSERT INTO job_files (job_key, file_key, is_output) VALUES (?, ?, ?)', jobKey, key, isOutput);
      }
      for (const key of this.#uses.user_data[direction]) {
        db.run('INSERT INTO job_user_data (job_key, user_data_key, is_output) VALUES (?, ?, ?)', jobKey, key, isOutput);
      }
    }
    return jobKey;
  }

  #requirements(): { key: number | null; shapeKey: number } {
    const { resource_requirements: name, scheduler } = this.#job;
    const { workflowKey } = this.#workflow;
    const config = scheduler === null ? anyConfig : this.#named('scheduler', scheduler);
    const key = name === null ? null : this.#named('resource_requirements', name);
    const need = key === null ? defaultRequirements : needOf(this.#tx, key);
    return { key, shapeKey: addShape(this.#tx, workflowKey, need, config) };
  }

  #named(kind: 'scheduler' | 'resource_requirements' | 'failure_handler', name: string): number {
    return keyOfName(this.#tx, this.#workflow.workflowKey, kind, name);
  }

  /** In a workflow that runs, the job gets at once the status that a start would give it. */
  #activate(jobKey: number, upstreams: readonly Neighbour[]): JobStatus {
    const { workflowKey } = this.#workflow;
    const culprit = this.#job.cancel_on_blocking_job_failure ? upstreams.find(hasFailed) : undefined;
    const state = { jobKey, workflowKey, status: 'uninitialized', failed: false } as const;
    if (culprit !== undefined) {
      this.#tx.db.run('UPDATE jobs SET failed_upstream_key = ? WHERE job_key = ?', culprit.jobKey, jobKey);
      const data = { failed_upstream_key: String(culprit.jobKey) };
      moveJob(this.#tx, state, { to: 'canceled', by: 'start', data });
      propagateEnd(this.#tx, jobKey, true);
      return 'canceled';
    }
    const to = upstreams.every(({ status }) => endedStatuses.includes(status)) ? 'ready' : 'blocked';
    // a run that had ended goes on with that
    moveJob(this.#tx, state, { to, by: 'start' });
    return to;
  }
}

function hasFailed({ status, failed }: Neighbour): boolean {
  return status === 'canceled' || (status === 'done' && failed);
}

function addEdge(tx: Transaction, upstream: number, downstream: number): void {
  tx.db.run('INSERT INTO edges (upstream, downstream) VALUES (?, ?)', upstream, downstream);
}
