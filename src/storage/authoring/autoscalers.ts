/** A person sets an autoscaler, and what is shown of it. */
import type { AutoscalerShown } from '../../api/autoscaling.ts';
import type { Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { defaultMaxNodes, problemOfMaximum } from '../../model/decide/autoscaling-maximum.ts';
import { scalingText } from '../../model/decide/autoscaling-text.ts';
import type { Transaction } from '../database/transaction.ts';
import { type Autoscaler, findAutoscaler, lastDecision } from '../running/autoscalers.ts';
import { removeDue, setDue } from '../running/due.ts';
import { findSlurmConfig } from './slurm-configs.ts';

type Settings = NonNullable<Request<'workflow_autoscale'>['settings']>;
type Stated = 'min_nodes' | 'max_nodes' | 'max_queued' | 'idle_seconds' | 'is_chain';
/** Without anything missing that has a default. */
type Whole = Omit<Settings, Stated> & { [K in Stated]: NonNullable<Settings[K]> };

const defaults = {
  min_nodes: 0,
  max_nodes: defaultMaxNodes,
  max_queued: 4,
  idle_seconds: 30,
  is_chain: false,
} satisfies Whole;

/** Sets it, or changes what is named. Throws TorcError 'usage' for what makes no sense, 'not_found' for the Slurm config. */
export function setAutoscaler(tx: Transaction, workflowKey: number, changes: Settings): void {
  const known = findAutoscaler(tx, workflowKey);
  const settings: Whole = { ...(known === null ? defaults : settingsOf(known)), ...stated(changes) };
  const { output_directory } = settings;
  if (output_directory === undefined) throw new TorcError('usage', 'an autoscaler needs an output directory');
  checkSettings(tx, workflowKey, settings);
  const { min_nodes, max_nodes, max_queued, idle_seconds, is_chain } = settings;
  const { walltime_seconds: walltime = null, slurm_config_key: config = null } = settings;
  tx.db.run(
    `INSERT OR REPLACE INTO autoscalers (workflow_key, min_nodes, max_nodes, max_queued, idle_ms, walltime_ms,
       slurm_config_key, nodes_per_allocation, max_parallel_jobs, is_chain, output_directory, set_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    workflowKey,
    min_nodes,
    max_nodes,
    max_queued,
    idle_seconds * 1000,
    walltime === null ? null : walltime * 1000,
    config === null ? null : Number(config),
    settings.nodes_per_allocation ?? null,
    settings.max_parallel_jobs ?? null,
    is_chain ? 1 : 0,
    output_directory,
    tx.now,
  );
  setDue(tx, { kind: 'autoscale', dueAt: tx.now, workflowKey, subjectKey: workflowKey });
  tx.tell({ kind: 'autoscaler_set', workflowKey });
  tx.event({ workflowKey, type: 'autoscaler_set', data: { min_nodes, max_nodes, max_queued, idle_seconds, is_chain } });
}

/** Without fields that are missing. */
function stated(changes: Settings): Partial<Whole> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

function settingsOf(known: Autoscaler): Whole {
  return {
    min_nodes: known.minNodes,
    max_nodes: known.maxNodes,
    max_queued: known.maxQueued,
    idle_seconds: known.idleMs / 1000,
    walltime_seconds: known.walltimeMs === null ? null : known.walltimeMs / 1000,
    slurm_config_key: known.slurmConfigKey === null ? null : String(known.slurmConfigKey),
    nodes_per_allocation: known.nodesPerAllocation,
    max_parallel_jobs: known.maxParallelJobs,
    is_chain: known.isChain,
    output_directory: known.outputDirectory,
  };
}

function checkSettings(tx: Transaction, workflowKey: number, settings: Whole): void {
  const { min_nodes: min, max_nodes: max, slurm_config_key: only = null, is_chain: isChain } = settings;
  const configs = tx.db
    .all<{ slurm_config_key: number; num_nodes: number }>(
      'SELECT slurm_config_key, num_nodes FROM slurm_configs WHERE workflow_key = ?',
      workflowKey,
    )
    .filter(({ slurm_config_key: key }) => only === null || key === Number(only));
  if (configs.length === 0) {
    const what = only === null ? 'no Slurm config' : `no Slurm config ${only}`;
    throw new TorcError(
      'not_found',
      `workflow ${workflowKey} has ${what}`,
      `torc -k ${workflowKey} hpc slurm add-config`,
    );
  }
  const size = settings.nodes_per_allocation ?? Math.min(...configs.map(({ num_nodes }) => num_nodes));
  if (min > max) throw new TorcError('usage', `the minimum of ${min} nodes is more than the maximum of ${max}`);
  const problem = problemOfMaximum([size], max);
  if (problem !== null) throw new TorcError('usage', problem, 'Give a larger --max.');
  if (isChain && min > 0)
    throw new TorcError('usage', 'a chain has no minimum of nodes', 'Leave out --min or --chain.');
  if (isChain && max < 2 * size) {
    const hint = `Give at least --max ${2 * size}: the allocation that runs and the next one count.`;
    throw new TorcError('usage', `a chain needs the nodes of two allocations, and the maximum is ${max}`, hint);
  }
}

/** Returns the Slurm jobs that it had asked for and that are queued; null when there was no autoscaler. */
export function removeAutoscaler(tx: Transaction, workflowKey: number): string[] | null {
  if (tx.db.run('DELETE FROM autoscalers WHERE workflow_key = ?', workflowKey).changes === 0) return null;
  removeDue(tx, { kind: 'autoscale', subjectKey: workflowKey });
  tx.tell({ kind: 'autoscaler_set', workflowKey });
  tx.event({ workflowKey, type: 'autoscaler_off', data: {} });
  return tx.db
    .all<{ slurm_job_id: string }>(
      `SELECT slurm_job_id FROM allocations WHERE workflow_key = ? AND is_autoscaled = 1 AND status = 'submitted'
         AND slurm_job_id IS NOT NULL ORDER BY allocation_key`,
      workflowKey,
    )
    .map(({ slurm_job_id }) => slurm_job_id);
}

/** Null for a workflow without one. */
export function showAutoscaler(tx: Transaction, workflowKey: number): AutoscalerShown | null {
  const found = findAutoscaler(tx, workflowKey);
  if (found === null) return null;
  const now = tx.db.get<{ nodes: number; queued: number }>(
    `SELECT coalesce(sum(num_nodes), 0) AS nodes, count(*) FILTER (WHERE status <> 'running') AS queued FROM allocations
     WHERE workflow_key = ? AND status IN ('recorded', 'submitted', 'running')`,
    workflowKey,
  );
  const { min_nodes, max_nodes, max_queued, idle_seconds, ...rest } = settingsOf(found);
  const name = found.slurmConfigKey === null ? null : findSlurmConfig(tx, found.slurmConfigKey)?.name;
  const reason = lastDecision(tx, workflowKey);
  return {
    min_nodes,
    max_nodes,
    max_queued,
    idle_seconds,
    walltime_seconds: rest.walltime_seconds ?? null,
    slurm_config_key: rest.slurm_config_key ?? null,
    slurm_config: name == null ? null : String(name),
    nodes_per_allocation: rest.nodes_per_allocation ?? null,
    max_parallel_jobs: rest.max_parallel_jobs ?? null,
    is_chain: found.isChain,
    output_directory: found.outputDirectory,
    set_at: isoInstant(found.setAt),
    num_nodes: now?.nodes ?? 0,
    num_queued_allocations: now?.queued ?? 0,
    reason,
    explanation: reason === null ? null : scalingText(reason),
  };
}
