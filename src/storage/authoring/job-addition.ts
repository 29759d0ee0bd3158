/**
 * Adding jobs to a stored workflow, even while it runs: checked like those of a specification, with the status and
 * counters that a job of the specification would have by now.
 */

import type { AddedJob, Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { anyConfig } from '../../model/decide/pools.ts';
import { defaultRequirements } from '../../model/job.ts';
import { labelSet } from '../../model/labels.ts';
import { quoted } from '../../model/spec/names.ts';
import { endedStatuses, type JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from '../running/added-shapes.ts';
import { propagateEnd } from '../running/completion.ts';
import { needOf } from '../running/shapes.ts';
import { moveJob } from '../running/transitions.ts';
import { runsUnlessAscending, storeUpstreamOrder } from '../running/upstream-orders.ts';
import { getWorkflow, type Workflow } from '../running/workflows.ts';
import { hold } from '../runs/pauses.ts';
import { additionDigest, knownJob, noteAddition } from './added-jobs.ts';
import { addEdge, addJob } from './job-rows.ts';
import { refuseUnknownValues } from './job-texts.ts';
import { JobUses, type UsedKind } from './job-uses.ts';
import { limitSet } from './limits.ts';
import { keyOfName, unknownName } from './named-parts.ts';

/** Adds jobs in the order of the request, so that each may depend on those before it. */
export function addJobs(tx: Transaction, request: Request<'jobs_add'>): Reply<'jobs_add'>['jobs'] {
  const workflow = getWorkflow(tx, Number(request.workflow_key));
  refuseClosed(workflow);
  return request.jobs.map((job) => {
    const known = knownJob(tx, workflow.workflowKey, job, { parentKey: null, digest: additionDigest(job) });
    return known ?? new JobAddition(tx, workflow, job).add();
  });
}

export function refuseClosed({ workflowKey, phase, isCanceled, isStopping }: Workflow): void {
  const restart = `torc workflows restart ${workflowKey}`;
  if (isCanceled) {
    throw new TorcError('conflict', `workflow ${workflowKey} is canceled`, `Restart it first: ${restart}`);
  }
  if (phase === 'starting' || isStopping) {
    throw new TorcError('conflict', `workflow ${workflowKey} is starting`, 'Try again in a moment.');
  }
}

/** A job that the new one waits for, or that waits for it. */
export interface Neighbour {
  jobKey: number;
  name: string;
  status: JobStatus;
  failed: number;
}

const neighbourColumns = 'j.job_key AS jobKey, j.name, j.status, j.failed';

export function jobNamed(tx: Transaction, workflowKey: number, name: string): Neighbour | undefined {
  return tx.db.get<Neighbour>(
    `SELECT ${neighbourColumns} FROM jobs j WHERE j.workflow_key = ? AND j.name = ?`,
    workflowKey,
    name,
  );
}

/** What a child of a running job has besides what it states. */
export interface Family {
  parentKey: number;
  digest: string;
  /** The parent, unless the child does not wait for it. */
  upstreams: readonly Neighbour[];
  /** The jobs before which it is added; they are blocked. */
  downstreams: readonly Neighbour[];
  /** Whether a job is one of those, or waits for one. */
  isBehind(jobKey: number): boolean;
}

/** A job that is to be added; its name is free. */
export class JobAddition {
  readonly uses: JobUses;
  readonly #tx: Transaction;
  readonly #workflow: Workflow;
  readonly #job: AddedJob;
  readonly #family: Family | null;

  constructor(tx: Transaction, workflow: Workflow, job: AddedJob, family: Family | null = null) {
    this.#tx = tx;
    this.#workflow = workflow;
    this.#job = job;
    this.#family = family;
    this.uses = new JobUses(tx, workflow.workflowKey, job);
  }

  add(): Reply<'jobs_add'>['jobs'][number] {
    const { name } = this.#job;
    const { workflowKey } = this.#workflow;
    const upstreams = this.#upstreams();
    refuseUnknownValues(
      this.#job,
      [...upstreams.values()].map((upstream) => upstream.name),
    );
    const downstreams = this.#downstreams();
    this.#refuseCycle(upstreams, downstreams);
    const jobKey = this.#insert();
    this.#connect(jobKey, upstreams, new Map([...downstreams, ...this.#before()]));
    if (this.#family === null) {
      const data = { name, depends_on: [...upstreams.values()].slice(0, 100).map((upstream) => upstream.name) };
      this.#tx.event({ workflowKey, jobKey, type: 'job_added', data });
    }
    const status =
      this.#workflow.phase === 'started' ? this.#activate(jobKey, [...upstreams.values()]) : 'uninitialized';
    const held = this.#job.hold === true ? hold(this.#tx, workflowKey, jobKey) : null;
    return { job_key: String(jobKey), name, status: held ?? status, is_new: true };
  }

  #jobNamed(name: string): Neighbour | undefined {
    return jobNamed(this.#tx, this.#workflow.workflowKey, name);
  }

  /** The jobs that the new one waits for: its parent, those it names, and the producers of what it reads. */
  #upstreams(): Map<number, Neighbour> {
    const found = new Map((this.#family?.upstreams ?? []).map((parent) => [parent.jobKey, parent]));
    for (const name of this.#job.depends_on) {
      if (name === this.#job.name) {
        throw new TorcError('usage', `the job ${quoted(name)} depends on itself`, 'Leave it out of --depends-on.');
      }
      const upstream = this.#jobNamed(name);
      if (upstream === undefined) throw unknownName(this.#tx, this.#workflow.workflowKey, 'job', name);
      found.set(upstream.jobKey, upstream);
    }
    for (const kind of ['files', 'user_data'] as const) {
      for (const key of this.uses[kind].input) {
        for (const producer of this.#users(kind, key, 1)) found.set(producer.jobKey, producer);
      }
    }
    return found;
  }

  /** The jobs that read what this one writes; refuses a second producer, and readers that have started without it. */
  #downstreams(): Map<number, Neighbour> {
    const found = new Map<number, Neighbour>();
    for (const kind of ['files', 'user_data'] as const) {
      for (const key of this.uses[kind].output) {
        const [producer] = this.#users(kind, key, 1);
        if (producer !== undefined) this.#refuseSecondProducer(kind, key, producer);
        for (const reader of this.#users(kind, key, 0)) found.set(reader.jobKey, reader);
      }
    }
    const started = [...found.values()].find(({ status }) =>
      ['ready', 'submitted_pending', 'submitted', 'done'].includes(status),
    );
    if (this.#workflow.phase !== 'started' || started === undefined) return found;
    throw new TorcError(
      'conflict',
      `job ${started.jobKey} (${quoted(started.name)}) reads what the new job writes, and is already ${started.status}`,
      `torc jobs reset-status ${started.jobKey}`,
    );
  }

  #users(kind: UsedKind, key: number, isOutput: number): Neighbour[] {
    const [table, column] = kind === 'files' ? ['job_files', 'file_key'] : ['job_user_data', 'user_data_key'];
    return this.#tx.db.all<Neighbour>(
      `SELECT ${neighbourColumns} FROM ${table} u JOIN jobs j ON j.job_key = u.job_key
       WHERE u.${column} = ? AND u.is_output = ?`,
      key,
      isOutput,
    );
  }

  #refuseSecondProducer(kind: UsedKind, key: number, producer: Neighbour): void {
    const [words, column] = kind === 'files' ? ['file', 'file_key'] : ['user data', 'user_data_key'];
    const row = this.#tx.db.get<{ name: string }>(`SELECT name FROM ${kind} WHERE ${column} = ?`, key);
    const what = `${words} ${quoted(row?.name ?? '')}`;
    throw new TorcError(
      'conflict',
      `job ${producer.jobKey} (${quoted(producer.name)}) already writes the ${what}`,
      'Only one job can write a file or user data.',
    );
  }

  /** A path from a reader of the new job's outputs to a job that the new one waits for would close a cycle. */
  #refuseCycle(upstreams: ReadonlyMap<number, Neighbour>, downstreams: ReadonlyMap<number, Neighbour>): void {
    for (const { jobKey, name } of this.#family === null ? [] : upstreams.values()) {
      if (this.#family?.isBehind(jobKey) !== true) continue;
      throw new TorcError(
        'usage',
        `the job ${quoted(this.#job.name)} would wait for itself: it waits for ${quoted(name)}, which runs after it`,
        'Leave that job out of depends_on, or out of --before.',
      );
    }
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
      const sql = 'SELECT downstream FROM edges WHERE upstream = ?';
      for (const { downstream: next } of this.#tx.db.all<{ downstream: number }>(sql, node)) {
        if (!seen.has(next)) work.push(next);
        seen.add(next);
      }
    }
  }

  #insert(): number {
    const { command, invocationScript, files, user_data: userData } = this.uses;
    const handler = this.#job.failure_handler;
    const jobKey = addJob(this.#tx, {
      jobKey: null,
      workflowKey: this.#workflow.workflowKey,
      stated: { ...this.#job, command, invocation_script: invocationScript },
      references: {
        ...this.#requirements(),
        failureHandlerKey: handler === null ? null : this.#named('failure_handler', handler),
      },
      inputFiles: files.input,
      outputFiles: files.output,
      inputUserData: userData.input,
      outputUserData: userData.output,
    });
    this.#tx.count(this.#workflow.workflowKey, 'uninitialized', false, 1);
    const { parentKey, digest } = this.#family ?? { parentKey: null, digest: additionDigest(this.#job) };
    noteAddition(this.#tx, this.#workflow.workflowKey, jobKey, { parentKey, digest });
    return jobKey;
  }

  #before(): [number, Neighbour][] {
    return (this.#family?.downstreams ?? []).map((job) => [job.jobKey, job]);
  }

  #connect(
    jobKey: number,
    upstreams: ReadonlyMap<number, Neighbour>,
    downstreams: ReadonlyMap<number, Neighbour>,
  ): void {
    const { db } = this.#tx;
    const all = [...upstreams.values()];
    for (const upstream of upstreams.keys()) addEdge(this.#tx, upstream, jobKey);
    const order = runsUnlessAscending([...upstreams.keys()]);
    if (order !== null) storeUpstreamOrder(this.#tx, jobKey, order);
    db.run(
      'UPDATE jobs SET num_blockers = ?, num_failed_upstreams = ? WHERE job_key = ?',
      all.filter(({ status }) => !endedStatuses.includes(status)).length,
      all.filter(hasFailed).length,
      jobKey,
    );
    for (const downstream of downstreams.keys()) {
      addEdge(this.#tx, jobKey, downstream);
      db.run('UPDATE jobs SET num_blockers = num_blockers + 1 WHERE job_key = ?', downstream);
    }
  }

  #requirements(): { requirementsKey: number | null; shapeKey: number } {
    const { resource_requirements: name, scheduler, supports_termination: supportsTermination } = this.#job;
    const { workflowKey } = this.#workflow;
    const labels = labelSet(this.#job.labels ?? []);
    const limits = limitSet(this.#tx, workflowKey, this.#job);
    const slurmConfigKey = scheduler === null ? anyConfig : this.#named('scheduler', scheduler);
    const key = name === null ? null : this.#named('resource_requirements', name);
    const need = key === null ? defaultRequirements : needOf(this.#tx, key);
    return {
      requirementsKey: key,
      shapeKey: addShape(this.#tx, workflowKey, { need, slurmConfigKey, labels, supportsTermination, limits }),
    };
  }

  #named(kind: 'scheduler' | 'resource_requirements' | 'failure_handler', name: string): number {
    return keyOfName(this.#tx, this.#workflow.workflowKey, kind, name);
  }

  /** In a started workflow, the job gets the status at once that a start would give it. */
  #activate(jobKey: number, upstreams: readonly Neighbour[]): JobStatus {
    const { workflowKey } = this.#workflow;
    const by = this.#family === null ? {} : { added_by: String(this.#family.parentKey) };
    const culprit = this.#job.cancel_on_blocking_job_failure ? upstreams.find(hasFailed) : undefined;
    const state = { jobKey, workflowKey, status: 'uninitialized', failed: false } as const;
    if (culprit !== undefined) {
      this.#tx.db.run('UPDATE jobs SET failed_upstream_key = ? WHERE job_key = ?', culprit.jobKey, jobKey);
      const data = { failed_upstream_key: String(culprit.jobKey), ...by };
      moveJob(this.#tx, state, { to: 'canceled', by: 'start', data });
      propagateEnd(this.#tx, jobKey, true);
      return 'canceled';
    }
    const to = upstreams.every(({ status }) => endedStatuses.includes(status)) ? 'ready' : 'blocked';
    // this continues a run that had ended
    return moveJob(this.#tx, state, { to, by: 'start', ...(this.#family === null ? {} : { data: by }) });
  }
}

function hasFailed({ status, failed }: Neighbour): boolean {
  return status === 'canceled' || (status === 'done' && failed === 1);
}
