/** What the jobs of a new workflow name by its place in the specification, as keys. */

import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { anyConfig } from '../../model/decide/pools.ts';
import { labelSet } from '../../model/labels.ts';
import type { Transaction } from '../database/transaction.ts';
import { internShape, readShape } from '../running/shapes.ts';
import type { JobReferences } from './job-rows.ts';
import { limitSet } from './limits.ts';

type ChunkJob = Request<'workflow_create_chunk'>['jobs'][number];

interface RequirementsRow {
  resource_requirements_key: number;
  shape_key: number;
  sort_rank: number;
}

export class CreationReferences {
  readonly #tx: Transaction;
  readonly #workflowKey: number;
  /** In the order of the request; the first are the defaults of jobs without any. */
  readonly #requirements: RequirementsRow[];
  readonly #configs: number[];
  readonly #handlers: number[];
  /** Of jobs that are restricted or support termination, by requirements, config, that and labels. */
  readonly #shapes = new Map<string, number>();

  constructor(tx: Transaction, workflowKey: number) {
    this.#tx = tx;
    this.#workflowKey = workflowKey;
    this.#requirements = tx.db.all<RequirementsRow>(
      `SELECT r.resource_requirements_key, r.shape_key, s.sort_rank FROM resource_requirements r
       JOIN shapes s ON s.shape_key = r.shape_key WHERE r.workflow_key = ? ORDER BY r.resource_requirements_key`,
      workflowKey,
    );
    this.#configs = this.#keys('SELECT slurm_config_key AS key FROM slurm_configs WHERE workflow_key = ? ORDER BY 1');
    this.#handlers = this.#keys(
      'SELECT failure_handler_key AS key FROM failure_handlers WHERE workflow_key = ? ORDER BY 1',
    );
  }

  #keys(sql: string): number[] {
    return this.#tx.db.all<{ key: number }>(sql, this.#workflowKey).map(({ key }) => key);
  }

  /** Throws TorcError 'usage' for a place that the workflow does not have. */
  of(job: ChunkJob): JobReferences {
    const requirements = this.#requirements[job.requirements === null ? 0 : job.requirements + 1];
    if (requirements === undefined) throw noSuch(job, 'requirements');
    const { resource_requirements_key: key, shape_key: shapeKey } = requirements;
    const isPlain =
      job.slurm_config === undefined &&
      job.labels === undefined &&
      job.limits === undefined &&
      !job.supports_termination;
    return {
      requirementsKey: job.requirements === null ? null : key,
      shapeKey: isPlain ? shapeKey : this.#shapeOf(job, requirements),
      failureHandlerKey: job.failure_handler === undefined ? null : this.#handlerKey(job, job.failure_handler),
    };
  }

  #handlerKey(job: ChunkJob, place: number): number {
    const key = this.#handlers[place];
    if (key === undefined) throw noSuch(job, 'a failure handler');
    return key;
  }

  #shapeOf(job: ChunkJob, { shape_key: base, sort_rank }: RequirementsRow): number {
    const slurmConfigKey = job.slurm_config === undefined ? anyConfig : this.#configs[job.slurm_config];
    if (slurmConfigKey === undefined) throw noSuch(job, 'a Slurm config');
    const { supports_termination: supportsTermination } = job;
    const labels = labelSet(job.labels ?? []);
    const limits = limitSet(this.#tx, this.#workflowKey, job);
    const id = `${base} ${slurmConfigKey} ${supportsTermination} ${labels} ${limits}`;
    const known = this.#shapes.get(id);
    if (known !== undefined) return known;
    const request = { need: readShape(this.#tx, base), slurmConfigKey, labels, supportsTermination, limits };
    const made = internShape(this.#tx, this.#workflowKey, request, sort_rank);
    this.#shapes.set(id, made);
    return made;
  }
}

function noSuch(job: ChunkJob, what: string): TorcError {
  return new TorcError('usage', `job ${job.name} names ${what} that the workflow does not have`);
}
