/**
 * What a resume takes over from the specification with which its workflow was created again: all that does not change
 * what the jobs are. Returns what was another value before.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ChangedField, Request, TakenOver } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { anyConfig } from '../../model/decide/pools.ts';
import { specDefaults } from '../../model/expand/defaults.ts';
import { defaultRequirements } from '../../model/job.ts';
import { labelSet } from '../../model/labels.ts';
import type { Environment } from '../../model/launch.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from '../running/added-shapes.ts';
import { workflowEnvironment } from '../running/launch.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { needOf } from '../running/shapes.ts';
import { modifyUserData } from '../running/user-data.ts';
import type { Workflow } from '../running/workflows.ts';
import { countChildren } from './added-jobs.ts';
import { changedAttributes, storeJobAttributes } from './attributes.ts';
import { type JobReferences, updateJob } from './job-rows.ts';
import { limitSet } from './limits.ts';
import { keyOfName } from './named-parts.ts';
import { setNeedAgain } from './needs-again.ts';
import { takeOverParts } from './take-over-parts.ts';
import { exportedJobs, jobSettings } from './workflow-export.ts';
import { modifyWorkflow } from './workflow-modification.ts';

type Wanted = NonNullable<NonNullable<Request<'workflow_restart'>['resume']>['take_over']>;
type WantedJob = Wanted['jobs'][number];

/** At most this many jobs are listed. */
const mostListed = 1000;

/** Throws 'conflict' when the jobs of the workflow differ from those that were compared. */
export function takeOver(tx: Transaction, { workflowKey }: Workflow, wanted: Wanted): TakenOver {
  refuseOtherJobs(tx, workflowKey, wanted.num_jobs);
  const settings = [
    ...workflowSettings(tx, workflowKey, wanted.workflow),
    ...takeOverParts(tx, workflowKey, wanted.workflow),
    ...wanted.user_data.flatMap((datum) => takeOverData(tx, datum)),
  ];
  const changed = takeOverJobs(tx, workflowKey, wanted.jobs);
  const jobs = changed.slice(0, mostListed);
  const taken = { settings, jobs, num_jobs: changed.length };
  if (settings.length + changed.length > 0) {
    const fields = [...new Set([...settings.map(({ field }) => field), ...jobs.flatMap((job) => job.fields)])];
    tx.event({ workflowKey, type: 'specification_taken_over', data: { fields, num_jobs: changed.length } });
    forgetReadyJobs(tx, workflowKey);
    tx.tell({ kind: 'jobs_ready', workflowKey });
  }
  return taken;
}

function refuseOtherJobs(tx: Transaction, workflowKey: number, numJobs: number): void {
  const sql = 'SELECT count(*) AS n FROM jobs WHERE workflow_key = ?';
  const numStored = tx.db.get<{ n: number }>(sql, workflowKey)?.n ?? 0;
  if (numStored - countChildren(tx, workflowKey) === numJobs) return;
  throw new TorcError('conflict', `the jobs of workflow ${workflowKey} have just changed`, 'Type the command again.');
}

function workflowSettings(tx: Transaction, workflowKey: number, wanted: Wanted['workflow']): ChangedField[] {
  const changes: Request<'workflow_modify'>['changes'] = {
    description: wanted.description,
    project: wanted.project,
    metadata: wanted.metadata,
    expiration_buffer_seconds: wanted.expiration_buffer_seconds,
    wait_for_new_jobs_seconds: wanted.wait_for_new_jobs_seconds,
    ignore_workflow_completion: wanted.ignore_workflow_completion,
    wait_for_healthy_database_minutes: wanted.wait_for_healthy_database_minutes,
    stdio: wanted.stdio ?? 'files',
    pin: wanted.pin ?? false,
    execution: wanted.execution ?? 'direct',
    max_losses: wanted.max_losses ?? specDefaults.maxLosses,
    max_dynamic_jobs: wanted.max_dynamic_jobs ?? specDefaults.maxDynamicJobs,
    max_failures: wanted.max_failures ?? null,
    max_concurrent_jobs: wanted.max_concurrent_jobs ?? null,
    timeout_seconds: wanted.timeout_ms === undefined ? null : wanted.timeout_ms / 1000,
    termination_signal: wanted.termination_signal ?? specDefaults.terminationSignal,
    sigterm_lead_seconds: wanted.sigterm_lead_seconds ?? specDefaults.sigtermLeadSeconds,
    ...(wanted.attributes === undefined ? {} : { attributes: wanted.attributes }),
    env: { ...removed(workflowEnvironment(tx, workflowKey)), ...wanted.env },
    create_output_folders: wanted.create_output_folders ?? specDefaults.createOutputFolders,
  };
  return modifyWorkflow(tx, { workflow_key: String(workflowKey), changes }).changes;
}

/** Without all variables of before. */
function removed(env: Environment): Record<string, null> {
  return Object.fromEntries(Object.keys(env).map((name) => [name, null]));
}

/** What was made from the data before runs again, as after any change of it. */
function takeOverData(tx: Transaction, { user_data_key, data }: Wanted['user_data'][number]): ChangedField[] {
  const { name, isChanged } = modifyUserData(tx, { user_data_key, changes: { data } });
  return isChanged ? [{ field: `user_data ${name}`, old_value: null, new_value: data }] : [];
}

function takeOverJobs(tx: Transaction, workflowKey: number, jobs: readonly WantedJob[]): TakenOver['jobs'] {
  const references = new NamedReferences(tx, workflowKey);
  const changed: TakenOver['jobs'] = [];
  for (const { job_key, ...wanted } of jobs) {
    const [row] = exportedJobs(tx, workflowKey, { after: Number(job_key) - 1, limit: 1 });
    if (row?.job_key !== Number(job_key)) {
      throw new TorcError('not_found', `workflow ${workflowKey} has no job ${job_key}`, 'Type the command again.');
    }
    const { own_requirements: own, attributes: attributesBefore = {}, ...before } = jobSettings(tx, row);
    const { attributes = {}, ...others } = wanted;
    const fields = differingKeys(before, others);
    const added = changedAttributes(attributesBefore, attributes);
    if (added.fields.length > 0) storeJobAttributes(tx, row.job_key, added.after);
    fields.push(...added.fields.map(({ field }) => field));
    if (own !== null && !fields.includes('resource_requirements')) fields.push('resource_requirements');
    if (fields.length === 0) continue;
    updateJob(tx, row.job_key, wanted, references.of(wanted));
    setNeedAgain(tx, workflowKey, row.job_key);
    if (own !== null) {
      const sql = 'DELETE FROM resource_requirements WHERE resource_requirements_key = ? AND name IS NULL';
      tx.db.run(sql, row.resource_requirements_key);
    }
    changed.push({ job_key, job_name: row.name, fields });
  }
  return changed;
}

function differingKeys(before: object, after: object): string[] {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const keys = new Set([...old.keys(), ...now.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(old.get(key), now.get(key)));
}

/** The keys of what jobs name; most jobs name the same. */
class NamedReferences {
  readonly #tx: Transaction;
  readonly #workflowKey: number;
  readonly #known = new Map<string, JobReferences>();

  constructor(tx: Transaction, workflowKey: number) {
    this.#tx = tx;
    this.#workflowKey = workflowKey;
  }

  of(job: Omit<WantedJob, 'job_key'>): JobReferences {
    const { resource_requirements: requirements, scheduler, failure_handler, supports_termination } = job;
    const labels = labelSet(job.labels ?? []);
    const limits = limitSet(this.#tx, this.#workflowKey, job);
    const names = JSON.stringify([requirements, scheduler, failure_handler, supports_termination, labels, limits]);
    const known = this.#known.get(names);
    if (known !== undefined) return known;
    const key = (kind: Parameters<typeof keyOfName>[2], name: string) =>
      keyOfName(this.#tx, this.#workflowKey, kind, name);
    const requirementsKey = requirements === null ? null : key('resource_requirements', requirements);
    const need = requirementsKey === null ? defaultRequirements : needOf(this.#tx, requirementsKey);
    const slurmConfigKey = scheduler === null ? anyConfig : key('scheduler', scheduler);
    const request = { need, slurmConfigKey, labels, supportsTermination: supports_termination, limits };
    const made = {
      requirementsKey,
      shapeKey: addShape(this.#tx, this.#workflowKey, request),
      failureHandlerKey: failure_handler === null ? null : key('failure_handler', failure_handler),
    };
    this.#known.set(names, made);
    return made;
  }
}
