/** Shapes: each distinct request of a workflow's jobs, once, with its place in claim order. */
import { TorcError } from '../../base/errors.ts';
import { sortRanks } from '../../model/decide/claim-order.ts';
import { anyConfig, type Belonging } from '../../model/decide/pools.ts';
import type { JobsSortMethod } from '../../model/expanded.ts';
import type { Requirements } from '../../model/job.ts';
import { type LabelSet, noLabels } from '../../model/labels.ts';
import type { Transaction } from '../database/transaction.ts';

/** The columns that identify a shape, as in the unique index of shapes. */
const requestColumns = [
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
] as const;

/** What a job asks for, and how it may be started. */
export interface JobRequest extends Belonging {
  need: Requirements;
  /** Its stated runtime does not keep it from starting. */
  supportsTermination: boolean;
}

/** A request of resources alone: of requirements that no job has yet. */
export function plainRequest(need: Requirements): JobRequest {
  return { need, slurmConfigKey: anyConfig, labels: noLabels, supportsTermination: false };
}

function requestValues(workflowKey: number, request: JobRequest): (number | string)[] {
  const { need, slurmConfigKey, supportsTermination, labels } = request;
  const { numCpus, memoryBytes, gpuThousandths, numNodes, runtimeMs, isMemoryStated, isRuntimeStated } = need;
  const stated = [isMemoryStated ? 1 : 0, isRuntimeStated ? 1 : 0];
  const how = [slurmConfigKey, supportsTermination ? 1 : 0, labels];
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

/** What a shape requests; throws when there is none. */
export function readShape(tx: Transaction, shapeKey: number): Requirements {
  return findShape(tx, shapeKey).need;
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

/** The shapes of a workflow that have ready jobs: from each to the next by one step in the index of ready jobs. */
export function readyShapes(tx: Transaction, workflowKey: number): Shape[] {
  const rows = tx.db.all<ShapeRow | { shape_key: null }>(
    `WITH RECURSIVE ready (shape_key) AS (
       SELECT min(shape_key) FROM jobs WHERE workflow_key = ? AND status = 'ready'
       UNION ALL
       SELECT (SELECT min(j.shape_key) FROM jobs j
         WHERE j.workflow_key = ? AND j.status = 'ready' AND j.shape_key > ready.shape_key)
       FROM ready WHERE ready.shape_key IS NOT NULL)
     SELECT s.* FROM ready LEFT JOIN shapes s ON s.shape_key = ready.shape_key WHERE ready.shape_key IS NOT NULL`,
    workflowKey,
    workflowKey,
  );
  return rows.map((row) => {
    if (row.shape_key === null) throw new TorcError('bug', 'a ready job has no stored request');
    return shapeOf(row);
  });
}

interface ShapeRow {
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
}

function shapeOf(row: ShapeRow): Shape {
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

function requirementsOf(row: ShapeRow): Requirements {
  return {
    numCpus: row.num_cpus,
    memoryBytes: row.memory_bytes,
    gpuThousandths: row.gpu_thousandths,
    numNodes: row.num_nodes,
    runtimeMs: row.runtime_ms,
    isMemoryStated: row.is_memory_stated === 1,
    isRuntimeStated: row.is_runtime_stated === 1,
  };
}

/** The shape of a request that is added later: ranks are relative, so all shapes of the workflow are ranked again. */
export function addShape(tx: Transaction, workflowKey: number, request: JobRequest): number {
  const known = tx.db.get<{ shape_key: number }>(
    `SELECT shape_key FROM shapes WHERE ${requestColumns.map((column) => `${column} = ?`).join(' AND ')}`,
    ...requestValues(workflowKey, request),
  );
  if (known !== undefined) return known.shape_key;
  const shapeKey = internShape(tx, workflowKey, request, 0);
  const sql = 'SELECT jobs_sort_method AS method FROM workflows WHERE workflow_key = ?';
  const method = tx.db.get<{ method: JobsSortMethod }>(sql, workflowKey)?.method ?? 'none';
  const shapes = tx.db.all<ShapeRow>('SELECT * FROM shapes WHERE workflow_key = ?', workflowKey);
  const ranks = sortRanks(method, shapes.map(requirementsOf));
  for (const [index, shape] of shapes.entries()) {
    if (shape.sort_rank === ranks[index]) continue;
    tx.db.run('UPDATE shapes SET sort_rank = ? WHERE shape_key = ?', ranks[index], shape.shape_key);
  }
  return shapeKey;
}

/** How a job may be started, whatever it needs. */
export type Way = Omit<JobRequest, 'need'>;

type WayRow = Pick<ShapeRow, 'slurm_config_key' | 'supports_termination' | 'labels'>;

function wayOf(row: WayRow): Way {
  return {
    slurmConfigKey: row.slurm_config_key,
    supportsTermination: row.supports_termination === 1,
    labels: row.labels,
  };
}

/** How jobs of a workflow may be started: each way once. */
export function waysToStart(tx: Transaction, workflowKey: number): Way[] {
  const sql = 'SELECT DISTINCT slurm_config_key, supports_termination, labels FROM shapes WHERE workflow_key = ?';
  return tx.db.all<WayRow>(sql, workflowKey).map(wayOf);
}
