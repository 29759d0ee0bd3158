/** Which jobs a worker takes, whatever their size. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Pool } from '../../model/decide/pools.ts';
import { type LabelSet, labelSet, labelsIn, ownLabels, problemOfGivenLabels } from '../../model/labels.ts';
import { amountsIn, type ResourceSet, resourceSet, resourcesOfGres } from '../../model/named-resources.ts';
import type { Transaction } from '../database/transaction.ts';

interface Registered {
  allocationKey: number | null;
  labels: LabelSet;
  takesUnlabelled: boolean;
}

export function poolOf(tx: Transaction, { allocationKey, labels, takesUnlabelled }: Registered): Pool {
  if (allocationKey === null) return { config: null, labels, takesUnlabelled };
  const sql = 'SELECT slurm_config_key AS key FROM allocations WHERE allocation_key = ?';
  return { config: tx.db.get<{ key: number }>(sql, allocationKey)?.key ?? null, labels, takesUnlabelled };
}

/**
 * The named resources of a worker that introduces itself: what it was started with, else what its Slurm config states, else
 * what the generic resources of that name.
 */
export function resourcesAtHello(
  tx: Transaction,
  { allocation_key, resources }: Pick<Request<'worker_hello'>, 'allocation_key' | 'resources'>,
): ResourceSet {
  const config = tx.db.get<{ resources: ResourceSet; gres: string | null }>(
    `SELECT c.resources, c.gres FROM allocations a JOIN slurm_configs c ON c.slurm_config_key = a.slurm_config_key
     WHERE a.allocation_key = ?`,
    Number(allocation_key ?? 0),
  );
  return resourceSet({ ...resourcesOfGres(config?.gres ?? ''), ...amountsIn(config?.resources ?? ''), ...resources });
}

type Hello = Pick<
  Request<'worker_hello'>,
  'allocation_key' | 'slurm_job_id' | 'cluster' | 'labels' | 'also_unlabelled'
>;

/**
 * The labels of a worker that introduces itself: its own, those that it was started with, and those of the Slurm config
 * of its allocation. Throws TorcError 'usage' for labels that cannot be given.
 */
export function labelsAtHello(
  tx: Transaction,
  { allocation_key, slurm_job_id, cluster, labels = [], also_unlabelled = false }: Hello,
): { labels: LabelSet; takesUnlabelled: boolean } {
  const problem = problemOfGivenLabels(labels);
  if (problem !== null) throw new TorcError('usage', problem, 'Leave it out; jobs may ask for it.');
  const config = tx.db.get<{ name: string; labels: LabelSet; also_unlabelled: number }>(
    `SELECT c.name, c.labels, c.also_unlabelled FROM allocations a
     JOIN slurm_configs c ON c.slurm_config_key = a.slurm_config_key WHERE a.allocation_key = ?`,
    Number(allocation_key ?? 0),
  );
  const given = [...labels, ...labelsIn(config?.labels ?? '')];
  const own = ownLabels({ isSlurm: slurm_job_id !== null, config: config?.name ?? null, cluster });
  return {
    labels: labelSet([...given, ...own]),
    takesUnlabelled: given.length === 0 || also_unlabelled || config?.also_unlabelled === 1,
  };
}
