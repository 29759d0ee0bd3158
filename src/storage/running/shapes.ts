/** Shapes: each distinct request of a workflow's jobs, once, with its place in claim order. */
import { TorcError } from '../../base/errors.ts';
import { type LimitSet, noLimits } from '../../model/decide/concurrency.ts';
import { anyConfig, type Belonging } from '../../model/decide/pools.ts';
import type { Requirements } from '../../model/job.ts';
import { type LabelSet, noLabels } from '../../model/labels.ts';
import { noResources, type ResourceSet } from '../../model/named-resources.ts';
import type { Database } from '../database/database.ts';
import type { Mirror } from '../database/mirrors.ts';
import type { Transaction } from '../database/transaction.ts';

/** The columns that identify a shape, as in the unique index of shapes. */
export const requestColumns = [
  'workflow_key',
  'num_cpus',
  'memory_bytes',
  'gpu_thousandths',
  'num_nodes',
  'runtime_ms',
  'is_memory_stated',
  'is_runtime_stated',
  'slurm_config_key',
  'supports_termination',
  'labels',
  'limits',
  'expected_ms',
  'resources',
] as const;

/** What a job asks for, and how it may be started. */
export interface JobRequest extends Belonging {
  need: Requirements;
  /** Its stated runtime does not keep it from starting. */
  supportsTermination: boolean;
  limits: LimitSet;
}

/** A request only of resources: of requirements that no job has yet. */
export function plainRequest(need: Requirements): JobRequest {
  return { need, slurmConfigKey: anyConfig, labels: noLabels, supportsTermination: false, limits: noLimits };
}

export function requestValues(workflowKey: number, request: JobRequest): (number | string)[] {
  const { need, slurmConfigKey, supportsTermination, labels, limits } = request;
  const { numCpus, memoryBytes, gpuThousandths, numNodes, runtimeMs, isMemoryStated, isRuntimeStated } = need;
  const { expectedMs = 0, resources = noResources } = need;
  const stated = [isMemoryStated ? 1 : 0, isRuntimeStated ? 1 : 0];
  const how = [slurmConfigKey, supportsTermination ? 1 : 0, labels, limits, expectedMs, resources];
  return [workflowKey, numCpus, memoryBytes, gpuThousandths, numNodes, runtimeMs, ...stated, ...how];
}

/** Finds or creates the shape of a request; returns its key. */
export function internShape(tx: Transaction, workflowKey: number, request: JobRequest, sortRank: number): number {
  const row = tx.db.get<{ shape_key: number }>(
    `INSERT INTO shapes (${requestColumns.join(', ')}, sort_rank) VALUES (${requestColumns.map(() => '?').join(', ')}, ?)
     ON CONFLICT DO UPDATE SET sort_rank = excluded.sort_rank RETURNING shape_key`,
    ...requestValues(workflowKey, request),
    sortRank,
  );
  if (row === undefined) throw new TorcError('bug', 'a request was not stored');
  return row.shape_key;
}

/**
 * What shapes request that were read lately: that never changes, and no key is used twice. One for the whole database, under
 * the key 0.
 */
const requests: Mirror<Database, Map<number, Requirements>> = { load: () => new Map() };

/** Beyond these, all are forgotten and read again. */
const mostKept = 1000;

/** What a shape requests; throws when there is none. */
export function readShape(tx: Transaction, shapeKey: number): Requirements {
  const kept = tx.db.mirrors.get(requests, 0);
  const known = kept.get(shapeKey);
  if (known !== undefined) return known;
  const { need } = findShape(tx, shapeKey);
  if (kept.size >= mostKept) kept.clear();
  kept.set(shapeKey, need);
  return need;
}

/** What jobs of one shape request, and their place in claim order. */
export interface Shape extends JobRequest {
  shapeKey: number;
  sortRank: number;
}

export function findShape(tx: Transaction, shapeKey: number): Shape {
  const row = tx.db.get<ShapeRow>('SELECT * FROM shapes WHERE shape_key = ?', shapeKey);
  if (row === undefined) throw new TorcError('bug', `there is no request ${shapeKey}`);
  return shapeOf(row);
}

export interface ShapeRow {
  shape_key: number;
  num_cpus: number;
  memory_bytes: number;
  gpu_thousandths: number;
  num_nodes: number;
  runtime_ms: number;
  is_memory_stated: number;
  is_runtime_stated: number;
  sort_rank: number;
  slurm_config_key: number;
  supports_termination: number;
  labels: LabelSet;
  limits: LimitSet;
  /** 0: as long as its runtime. */
  expected_ms: number;
  resources: ResourceSet;
}

export function shapeOf(row: ShapeRow): Shape {
  return {
    shapeKey: row.shape_key,
    need: requirementsOf(row),
    sortRank: row.sort_rank,
    ...wayOf(row),
  };
}

/** What resource requirements request, by their key; throws when there are none. */
export function needOf(tx: Transaction, requirementsKey: number): Requirements {
  const sql = 'SELECT shape_key FROM resource_requirements WHERE resource_requirements_key = ?';
  return readShape(tx, tx.db.get<{ shape_key: number }>(sql, requirementsKey)?.shape_key ?? 0);
}

export function requirementsOf(row: ShapeRow): Requirements {
  return {
    numCpus: row.num_cpus,
    memoryBytes: row.memory_bytes,
    gpuThousandths: row.gpu_thousandths,
    numNodes: row.num_nodes,
    runtimeMs: row.runtime_ms,
    isMemoryStated: row.is_memory_stated === 1,
    isRuntimeStated: row.is_runtime_stated === 1,
    ...(row.expected_ms === 0 ? {} : { expectedMs: row.expected_ms }),
    ...(row.resources === noResources ? {} : { resources: row.resources }),
  };
}

/** How a job may be started, whatever it needs. */
export type Way = Omit<JobRequest, 'need'>;

type WayRow = Pick<ShapeRow, 'slurm_config_key' | 'supports_termination' | 'labels' | 'limits'>;

function wayOf(row: WayRow): Way {
  return {
    slurmConfigKey: row.slurm_config_key,
    supportsTermination: row.supports_termination === 1,
    labels: row.labels,
    limits: row.limits,
  };
}

/** How jobs of a workflow may be started: each way once. */
export function waysToStart(tx: Transaction, workflowKey: number): Way[] {
  const sql =
    'SELECT DISTINCT slurm_config_key, supports_termination, labels, limits FROM shapes WHERE workflow_key = ?';
  return tx.db.all<WayRow>(sql, workflowKey).map(wayOf);
}
