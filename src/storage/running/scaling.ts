/** A job that ran out of memory or time asks for more: its own request grows, never that of another job. */
import type { StoredSite } from '../../api/sites.ts';
import { formatDuration, formatMemory, slurmMemoryBytes } from '../../base/units.ts';
import { anyConfig, mayTake, poolOfConfig } from '../../model/decide/pools.ts';
import { type Capped, type Room, type Scaled, scaledNeed } from '../../model/decide/scaling.ts';
import type { LabelSet } from '../../model/labels.ts';
import { nodesOfConfig } from '../../model/plan/config-places.ts';
import { exceededField, type Scale, type ScaledField } from '../../model/scale.ts';
import type { Cause } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from './added-shapes.ts';
import { fromDataOf } from './needs-from-data.ts';
import { giveOwnRequirements } from './own-requirements.ts';
import { findShape, type Shape } from './shapes.ts';
import type { JobState } from './transitions.ts';

/** As it is recorded: memory in bytes, runtime in seconds. */
export interface ScaledData {
  field: 'memory_bytes' | 'runtime_seconds';
  /** Null where nothing was stated. */
  old_value: number | null;
  new_value: number;
  wanted_value: number | null;
  limited_by: 'max' | 'scheduler' | 'list' | null;
  /** The Slurm config that the job moves to. */
  scheduler: string | null;
  why: string;
}

interface Ended {
  attemptKey: number;
  cause: Cause;
  scale: Scale;
}

/** What becomes of the request of a job, and what is recorded and said about it. */
export type Growth =
  | { kind: 'scaled'; data: ScaledData; before: Shape; scaled: Scaled }
  /** It cannot grow further: another attempt would end like this one. */
  | { kind: 'capped'; data: ScaledData }
  /** Nothing grows: the job asks for more by now than was tried, or nothing is known to scale from. */
  | { kind: 'raised' | 'unknown' };

type ScaledJob = Pick<JobState, 'jobKey' | 'workflowKey'>;

/**
 * Raises what the attempt ran out of. `same`: nothing grows; `capped`: it cannot grow further, so that another attempt
 * would end like this one.
 */
export function scaleJob(tx: Transaction, job: ScaledJob, ended: Ended): 'scaled' | 'same' | 'capped' {
  const growth = growthOf(tx, job, ended);
  if (growth.kind === 'scaled') grow(tx, job, ended.attemptKey, growth);
  if (growth.kind === 'capped') noteGrowth(tx, job, ended.attemptKey, growth);
  return growth.kind === 'raised' || growth.kind === 'unknown' ? 'same' : growth.kind;
}

/** How the request of the job would grow; changes nothing. */
export function growthOf(
  tx: Transaction,
  { jobKey, workflowKey }: ScaledJob,
  { attemptKey, cause, scale }: Ended,
): Growth {
  const field = exceededField(cause);
  if (field === null || scale[field] === undefined) return { kind: 'unknown' };
  const job = tx.db.get<{ shape_key: number; tried_key: number | null }>(
    'SELECT j.shape_key, a.shape_key AS tried_key FROM jobs j JOIN attempts a ON a.attempt_key = ? WHERE j.job_key = ?',
    attemptKey,
    jobKey,
  );
  if (job === undefined) return { kind: 'unknown' };
  const now = findShape(tx, job.shape_key);
  const tried = job.tried_key === null ? now : findShape(tx, job.tried_key);
  const exceeded = { field, tried: tried.need, now: now.need, used: usedBy(tx, attemptKey, field) };
  const decided = scaledNeed(scale, exceeded, roomsOf(tx, workflowKey, now));
  if (decided === null) return { kind: 'unknown' };
  if (decided === 'raised') return { kind: 'raised' };
  if (!('need' in decided)) return { kind: 'capped', data: cappedData(decided) };
  return { kind: 'scaled', data: scaledData(now, decided), before: now, scaled: decided };
}

/** Gives the job the larger request, and says so. */
export function grow(
  tx: Transaction,
  job: ScaledJob,
  attemptKey: number,
  growth: Extract<Growth, { kind: 'scaled' }>,
): void {
  const { jobKey, workflowKey } = job;
  noteGrowth(tx, job, attemptKey, growth);
  const { need, room, field } = growth.scaled;
  const row = tx.db.get<{ requirements_key: number | null }>(
    'SELECT resource_requirements_key AS requirements_key FROM jobs WHERE job_key = ?',
    jobKey,
  );
  const requirementsKey = row?.requirements_key ?? null;
  const shapeKey = addShape(tx, workflowKey, { ...growth.before, need, slurmConfigKey: room.key });
  tx.db.run('UPDATE jobs SET shape_key = ? WHERE job_key = ?', shapeKey, jobKey);
  const own = { job_key: jobKey, workflow_key: workflowKey, resource_requirements_key: requirementsKey };
  const { [field]: _, ...fromData } = (requirementsKey === null ? null : fromDataOf(tx, requirementsKey)) ?? {};
  giveOwnRequirements(tx, own, need, Object.keys(fromData).length === 0 ? null : fromData);
}

function noteGrowth(
  tx: Transaction,
  { jobKey, workflowKey }: ScaledJob,
  attemptKey: number,
  { kind, data }: Extract<Growth, { data: ScaledData }>,
): void {
  tx.db.run('UPDATE attempts SET scaled = ? WHERE attempt_key = ?', JSON.stringify(data), attemptKey);
  const type = kind === 'scaled' ? 'job_scaled' : 'job_not_scaled';
  tx.event({ workflowKey, type, jobKey, attemptKey, data });
}

/** The peak memory or the runtime of an attempt; of one that was lost with its worker also what the diagnosis says. */
function usedBy(tx: Transaction, attemptKey: number, field: ScaledField): number | null {
  const row = tx.db.get<{ peak: number | null; exec_ms: number | null; suggested: number | null }>(
    `SELECT peak_memory_bytes AS peak, exec_ms, json_extract(diagnosis, '$.suggested_memory_bytes') AS suggested
     FROM attempts WHERE attempt_key = ?`,
    attemptKey,
  );
  if (field === 'runtime') return row?.exec_ms ?? null;
  const known = [row?.peak ?? 0, Math.floor((row?.suggested ?? 0) / 1.5)];
  return Math.max(...known) || null;
}

// ------------------------------------------------------------------ where it can run

interface ConfigRow {
  key: number;
  name: string;
  partition: string | null;
  walltime_seconds: number;
  ntasks_per_node: number | null;
  mem: string | null;
  gres: string | null;
  extra: string | null;
  labels: LabelSet;
  also_unlabelled: number;
  fallback_order: number | null;
  /** The most that its allocations can have, by its workers or by what its partition offers; null where neither is known. */
  seen: number | null;
}

/** What the job may run on now, and what it may fall back to, in order. */
function roomsOf(tx: Transaction, workflowKey: number, shape: Shape): [Room, ...Room[]] {
  const configs = tx.db.all<ConfigRow>(
    `SELECT c.slurm_config_key AS key, c.name, c.partition, c.walltime_seconds, c.ntasks_per_node, c.mem, c.gres, c.extra,
       c.labels, c.also_unlabelled, c.fallback_order,
       (SELECT max(n.memory_bytes) FROM allocations l JOIN compute_nodes n ON n.allocation_key = l.allocation_key
        WHERE l.slurm_config_key = c.slurm_config_key) AS seen
     FROM slurm_configs c WHERE c.workflow_key = ? ORDER BY c.slurm_config_key`,
    workflowKey,
  );
  if (configs.some(({ mem }) => slurmMemoryBytes(mem) === null)) addNodeMemory(tx, configs);
  if (shape.slurmConfigKey === anyConfig) return [anyRoom(tx, workflowKey, shape, configs)];
  const own = configs.find(({ key }) => key === shape.slurmConfigKey);
  const fallbacks = configs
    .filter(({ key, fallback_order }) => fallback_order !== null && key !== shape.slurmConfigKey)
    .filter(({ fallback_order }) => own?.fallback_order == null || (fallback_order ?? 0) > own.fallback_order)
    .sort((a, b) => (a.fallback_order ?? 0) - (b.fallback_order ?? 0));
  const unknown = { key: shape.slurmConfigKey, name: null, memoryBytes: null, runtimeMs: null };
  return [own === undefined ? unknown : roomOf(own), ...fallbacks.map(roomOf)];
}

/** The largest node of the partition, as Slurm has described it last, where allocations may ask for it or no worker has shown one. */
function addNodeMemory(tx: Transaction, configs: readonly ConfigRow[]): void {
  const sql = 'SELECT profile FROM site_profiles ORDER BY refreshed_at DESC LIMIT 1';
  const stored = tx.db.get<{ profile: string }>(sql)?.profile;
  const site = stored === undefined ? null : (JSON.parse(stored) as StoredSite);
  for (const config of configs) {
    const { ntasks_per_node: ntasksPerNode, walltime_seconds, ...texts } = config;
    const asked = { ...texts, ntasksPerNode, walltimeMs: walltime_seconds * 1000 };
    const { nodes } = nodesOfConfig(asked, site, null);
    if (nodes.length > 0) config.seen = Math.max(...nodes.map(({ memoryBytes }) => memoryBytes));
    const partition = site?.partitions.find(({ name, is_default }) =>
      config.partition === null ? is_default : config.partition.split(',')[0] === name,
    );
    const sizes = partition?.nodes.map(({ memory_bytes }) => memory_bytes) ?? [];
    if (sizes.length > 0) config.seen ??= Math.max(...sizes);
  }
}

function roomOf({ key, name, mem, seen, walltime_seconds }: ConfigRow): Room {
  return { key, name, memoryBytes: slurmMemoryBytes(mem) ?? seen, runtimeMs: walltime_seconds * 1000 };
}

/** Of a job without a config: the largest that any worker which may take it has, or would have. */
function anyRoom(tx: Transaction, workflowKey: number, shape: Shape, configs: readonly ConfigRow[]): Room {
  const able = configs.filter(({ also_unlabelled, ...config }) => {
    return mayTake(poolOfConfig({ ...config, alsoUnlabelled: also_unlabelled === 1 }), shape);
  });
  const rooms = able.map(roomOf);
  // a worker in an allocation may have more labels than its config, and so take what no config would
  const workers = tx.db
    .all<{ memoryBytes: number; runtimeMs: number | null; labels: LabelSet; takes: number }>(
      `SELECT DISTINCT memory_bytes AS memoryBytes, walltime_ms AS runtimeMs, labels, takes_unlabelled AS takes
       FROM compute_nodes WHERE workflow_key = ? AND (allocation_key IS NULL OR ?)`,
      workflowKey,
      able.length === 0 ? 1 : 0,
    )
    .filter(({ labels, takes }) => mayTake({ config: null, labels, takesUnlabelled: takes === 1 }, shape))
    .map(({ memoryBytes, runtimeMs }): Room => ({ key: anyConfig, name: null, memoryBytes, runtimeMs }));
  const all = [...rooms, ...workers];
  const most = (values: (number | null)[]): number | null =>
    values.length === 0 || values.includes(null) ? null : Math.max(...(values as number[]));
  return {
    key: anyConfig,
    name: null,
    memoryBytes: most(all.map(({ memoryBytes }) => memoryBytes)),
    runtimeMs: most(all.map(({ runtimeMs }) => runtimeMs)),
  };
}

// ------------------------------------------------------------------ what is recorded

const words = {
  memory: { fieldName: 'memory_bytes', unit: 1, text: formatMemory },
  runtime: { fieldName: 'runtime_seconds', unit: 1000, text: (ms: number) => formatDuration(ms / 1000) },
} as const satisfies Record<ScaledField, { fieldName: string; unit: number; text: (value: number) => string }>;

const limits = {
  max: 'the max of its rule',
  list: 'the last value of its rule',
  scheduler: 'the most that its workers have',
} as const;

function scaledData(before: Shape, scaled: Scaled): ScaledData {
  const { field, oldValue, newValue, wanted, limitedBy, room } = scaled;
  const { fieldName, unit, text } = words[field];
  const isMoved = room.key !== before.slurmConfigKey;
  const old = oldValue === null ? 'none stated' : text(oldValue);
  const cap = limitedBy === null ? '' : `, not ${text(wanted)}: ${text(newValue)} is ${limits[limitedBy]}`;
  return {
    field: fieldName,
    old_value: oldValue === null ? null : oldValue / unit,
    new_value: newValue / unit,
    wanted_value: wanted / unit,
    limited_by: limitedBy,
    scheduler: isMoved ? room.name : null,
    why: `${field} ${old} -> ${text(newValue)}${cap}${isMoved ? `, in ${room.name}` : ''}`,
  };
}

function cappedData({ field, value, limitedBy }: Capped): ScaledData {
  const { fieldName, unit, text } = words[field];
  const at = value / unit;
  return {
    field: fieldName,
    old_value: at,
    new_value: at,
    wanted_value: null,
    limited_by: limitedBy,
    scheduler: null,
    why: `${field} stays ${text(value)}: that is ${limits[limitedBy]}, so the job is not tried again`,
  };
}
