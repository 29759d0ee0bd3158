/** Shapes: each distinct request of a workflow's jobs, once, with its place in claim order. */
import { TorcError } from '../../base/errors.ts';
import { sortRanks } from '../../model/decide/claim-order.ts';
import { anyConfig } from '../../model/decide/packing.ts';
import { continuationMs } from '../../model/decide/time-left.ts';
import type { JobsSortMethod } from '../../model/expanded.ts';
import type { Requirements } from '../../model/job.ts';
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
] as const;

function requestValues(workflowKey: number, need: Requirements, slurmConfigKey: number): number[] {
  const { numCpus, memoryBytes, gpuThousandths, numNodes, runtimeMs, isMemoryStated, isRuntimeStated } = need;
  const stated = [isMemoryStated ? 1 : 0, isRuntimeStated ? 1 : 0];
  return [workflowKey, numCpus, memoryBytes, gpuThousandths, numNodes, runtimeMs, ...stated, slurmConfigKey];
}

/** Finds or creates the shape of a request for the workers of one Slurm config; returns its key. */
export function internShape(
  tx: Transaction,
  workflowKey: number,
  need: Requirements,
  slurmConfigKey: number,
  sortRank: number,
): number {
  const row = tx.db.get<{ shape_key: number }>(
    `INSERT INTO shapes (${requestColumns.join(', ')}, sort_rank) VALUES (${requestColumns.map(() => '?').join(', ')}, ?)
     ON CONFLICT DO UPDATE SET sort_rank = excluded.sort_rank RETURNING shape_key`,
    ...requestValues(workflowKey, need, slurmConfigKey),
    sortRank,
  );
  if (row === undefined) throw new TorcError('bug', 'a request was not stored');
  return row.shape_key;
}

/** What a shape requests; throws when there is none. */
export function readShape(tx: Transaction, shapeKey: number): Requirements {
  return findShape(tx, shapeKey).need;
}

/** What jobs of one shape request, their place in claim order, and the Slurm config whose workers take them. */
export interface Shape {
  shapeKey: number;
  need: Requirements;
  sortRank: number;
  slurmConfigKey: number;
  /**
   * Not null: only jobs of the shape that continue from a checkpoint, which start in less time than the runtime they
   * state. This is the whole request.
   */
  whole: Requirements | null;
}

export function findShape(tx: Transaction, shapeKey: number): Shape {
  const row = tx.db.get<ShapeRow>('SELECT * FROM shapes WHERE shape_key = ?', shapeKey);
  if (row === undefined) throw new TorcError('bug', `there is no request ${shapeKey}`);
  return shapeOf(row);
}

/**
 * The shapes of a workflow that have ready jobs: from each to the next by one step in the index of ready jobs. Those with
 * jobs that continue from a checkpoint come once more.
 */
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
  const shapes = rows.map((row) => {
    if (row.shape_key === null) throw new TorcError('bug', 'a ready job has no stored request');
    return shapeOf(row);
  });
  return [...shapes, ...continuingShapes(tx, workflowKey)];
}

function continuingShapes(tx: Transaction, workflowKey: number): Shape[] {
  const rows = tx.db.all<{ shape_key: number }>(
    `SELECT DISTINCT shape_key FROM jobs INDEXED BY jobs_continuing
     WHERE workflow_key = ? AND is_continuing = 1 AND status = 'ready'`,
    workflowKey,
  );
  return rows
    .map((row) => findShape(tx, row.shape_key))
    .filter(({ need }) => need.isRuntimeStated)
    .map((shape) => ({ ...shape, need: continued(tx, workflowKey, shape.need), whole: shape.need }));
}

/** What a job requests that continues from a checkpoint. */
export function continued(tx: Transaction, workflowKey: number, need: Requirements): Requirements {
  return { ...need, runtimeMs: Math.min(need.runtimeMs, timeToContinue(tx, workflowKey)) };
}

/** What jobs of a workflow that continue from a checkpoint must have left. */
export function timeToContinue(tx: Transaction, workflowKey: number): number {
  const sql = 'SELECT sigterm_lead_ms AS ms FROM workflows WHERE workflow_key = ?';
  return continuationMs(tx.db.get<{ ms: number }>(sql, workflowKey)?.ms ?? 0);
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
}

function shapeOf(row: ShapeRow): Shape {
  return {
    shapeKey: row.shape_key,
    need: requirementsOf(row),
    sortRank: row.sort_rank,
    slurmConfigKey: row.slurm_config_key,
    whole: null,
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
export function addShape(tx: Transaction, workflowKey: number, need: Requirements, slurmConfigKey: number): number {
  const known = tx.db.get<{ shape_key: number }>(
    `SELECT shape_key FROM shapes WHERE ${requestColumns.map((column) => `${column} = ?`).join(' AND ')}`,
    ...requestValues(workflowKey, need, slurmConfigKey),
  );
  if (known !== undefined) return known.shape_key;
  const shapeKey = internShape(tx, workflowKey, need, slurmConfigKey, 0);
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

/** The Slurm config to whose workers a shape is restricted, or `anyConfig`. */
export function configOfShape(tx: Transaction, shapeKey: number): number {
  const sql = 'SELECT slurm_config_key AS key FROM shapes WHERE shape_key = ?';
  return tx.db.get<{ key: number }>(sql, shapeKey)?.key ?? anyConfig;
}

/** The Slurm configs to which jobs of a workflow are restricted, and `anyConfig`. */
export function configsOfShapes(tx: Transaction, workflowKey: number): number[] {
  const sql = 'SELECT DISTINCT slurm_config_key AS key FROM shapes WHERE workflow_key = ?';
  return tx.db.all<{ key: number }>(sql, workflowKey).map((row) => row.key);
}
