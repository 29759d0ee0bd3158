/** What the jobs of a workflow have used against what they ask for, by the forms of their names. */
import type { Reply } from '../../api/contract.ts';
import type { Requirements } from '../../model/job.ts';
import {
  emptySketch,
  type FitRule,
  fitOf,
  fitOfAll,
  fitRules,
  mergeSketch,
  quantile,
  type Requested,
  readSketch,
  type Sketch,
  stemOf,
} from '../../model/usage.ts';
import type { Database } from '../database/database.ts';
import type { Transaction } from '../database/transaction.ts';
import { otherStems } from '../database/usage-roll-up.ts';
import { readShape, requirementsOf, type ShapeRow } from '../running/shapes.ts';

interface UsageRow extends ShapeRow {
  stem: string;
  num_oom: number;
  num_timeouts: number;
  memory: string;
  cpus: string;
  runtime: string;
}

export function readUsage(tx: Transaction, workflowKey: number, shapes: ShapesOfStems): Reply<'usage'> {
  const rows = tx.db.all<UsageRow>(
    `SELECT u.stem, u.num_oom, u.num_timeouts, u.memory, u.cpus, u.runtime, s.* FROM usage u
     JOIN shapes s ON s.shape_key = u.shape_key WHERE u.workflow_key = ? ORDER BY u.stem`,
    workflowKey,
  );
  const needs = new Map<number, Requirements>();
  for (const shapeKey of new Set([...shapes.values()].flatMap((keys) => [...keys]))) {
    needs.set(shapeKey, readShape(tx, shapeKey));
  }
  return {
    usage: rows.map((row) => {
      // without jobs, what the last of them asked for
      const keys = shapes.get(row.stem) ?? [];
      const asked = [...keys].flatMap((key) => needs.get(key) ?? []);
      const requested = (value: (need: Requirements) => number | null): Requested | null =>
        rangeOf((asked.length === 0 ? [requirementsOf(row)] : asked).map(value));
      const runtime = readSketch(row.runtime);
      return {
        stem: row.stem,
        num_attempts: runtime.n,
        num_oom: row.num_oom,
        num_timeouts: row.num_timeouts,
        memory_bytes: measureOf(readSketch(row.memory), fitRules.memory, {
          requested: requested((need) => (need.isMemoryStated ? need.memoryBytes : null)),
          scale: 1,
          numRunOut: row.num_oom,
        }),
        num_cpus: measureOf(readSketch(row.cpus), fitRules.cpus, {
          requested: requested((need) => need.numCpus * 1000),
          scale: 1000,
          numRunOut: 0,
        }),
        runtime_seconds: measureOf(runtime, fitRules.runtime, {
          requested: requested((need) => (need.isRuntimeStated ? need.runtimeMs : null)),
          scale: 1000,
          numRunOut: row.num_timeouts,
        }),
      };
    }),
  };
}

/** Of jobs that state something. */
function rangeOf(values: readonly (number | null)[]): Requested | null {
  const stated = values.filter((value) => value !== null);
  return stated.length === 0 ? null : { least: Math.min(...stated), most: Math.max(...stated) };
}

/** The requests of jobs by the forms of their names, of those that have been measured. */
export type ShapesOfStems = ReadonlyMap<string, ReadonlySet<number>>;

/** An empty set for each form of names with measurements. */
export function measuredStems(db: Database, workflowKey: number): Map<string, Set<number>> {
  const rows = db.rows<[string]>('SELECT stem FROM usage WHERE workflow_key = ?', workflowKey);
  return new Map([...rows].map(([stem]) => [stem, new Set<number>()]));
}

/**
 * Adds what the jobs ask for, from the stored counts; false where these leave some out: of a workflow from before there
 * were counts, or with very many forms of names.
 */
export function addCountedShapes(db: Database, workflowKey: number, stems: ReadonlyMap<string, Set<number>>): boolean {
  const [isCounted] = db.row<[number]>(
    `SELECT (SELECT total(num_jobs) FROM stem_requests WHERE workflow_key = @key)
       = (SELECT total(n) FROM job_counts WHERE workflow_key = @key)`,
    { key: workflowKey },
  ) ?? [0];
  if (isCounted === 0) return false;
  const sql = `SELECT s.stem, r.shape_key FROM stem_requests r JOIN stems s ON s.stem_key = r.stem_key
    WHERE r.workflow_key = ? AND r.num_jobs > 0`;
  for (const [stem, shapeKey] of db.rows<[string, number]>(sql, workflowKey)) addShape(stems, stem, shapeKey);
  return true;
}

function addShape(stems: ReadonlyMap<string, Set<number>>, stem: string, shapeKey: number): void {
  (stems.get(stem) ?? stems.get(otherStems))?.add(shapeKey);
}

/** How many jobs one step looks at. */
const jobsAtATime = 10_000;

/** Adds what a part of the jobs ask for; returns from where on the next part begins, or null after the last. */
export function addShapesOfStems(
  db: Database,
  workflowKey: number,
  stems: ReadonlyMap<string, Set<number>>,
  after: number,
): number | null {
  let last: number | null = null;
  const sql = `SELECT job_key, name, shape_key FROM jobs WHERE workflow_key = ? AND job_key > ? ORDER BY job_key LIMIT ${jobsAtATime}`;
  for (const [jobKey, name, shapeKey] of db.rows<[number, string, number]>(sql, workflowKey, after)) {
    addShape(stems, stemOf(name), shapeKey);
    last = jobKey;
  }
  return last;
}

/** Values are shown in `scale`. */
function measureOf(
  sketch: Sketch,
  rule: FitRule,
  { requested, scale, numRunOut }: { requested: Requested | null; scale: number; numRunOut: number },
) {
  const shown = (value: number | null): number | null => (value === null ? null : Math.round(value) / scale);
  return {
    requested: shown(requested?.most ?? null),
    requested_min: shown(requested?.least ?? null),
    min: sketch.n === 0 ? null : shown(sketch.min),
    median: shown(quantile(sketch, 0.5)),
    p95: shown(quantile(sketch, 0.95)),
    max: sketch.n === 0 ? null : shown(sketch.max),
    ...shownFit(fitOfAll(sketch, requested, rule, numRunOut), shown),
  };
}

function shownFit({ proposed, finding }: ReturnType<typeof fitOf>, shown: (value: number | null) => number | null) {
  return { proposed: shown(proposed), finding };
}

/** So many workflows with measurements count, the newest ones: what jobs of a name need changes with their inputs. */
const mostEarlier = 10;

interface Earlier {
  memory: Sketch;
  runtime: Sketch;
  numRunOut: Record<'memory' | 'runtime', number>;
}

/** What jobs have used in earlier workflows of a name and user, or in one workflow, merged by the forms of their names. */
export function earlierUsage(
  tx: Transaction,
  { name, workflow_key: key, user }: { name: string; workflow_key: string | null; user: string },
): Reply<'usage_earlier'> {
  const keys = tx.db
    .all<{ key: number }>(
      `SELECT w.workflow_key AS key FROM workflows w
       WHERE ${key === null ? 'w.name = ? AND w.user = ?' : 'w.workflow_key = ?'}
         AND EXISTS (SELECT 1 FROM usage u WHERE u.workflow_key = w.workflow_key)
       ORDER BY w.workflow_key DESC LIMIT ${mostEarlier}`,
      ...(key === null ? [name, user] : [Number(key)]),
    )
    .map((row) => row.key);
  const stems = new Map<string, Earlier>();
  for (const row of tx.db.all<Omit<UsageRow, keyof ShapeRow>>(
    `SELECT stem, num_oom, num_timeouts, memory, runtime FROM usage
     WHERE workflow_key IN (SELECT value FROM json_each(?)) AND stem <> ?`,
    JSON.stringify(keys),
    otherStems,
  )) {
    const sum = stems.get(row.stem) ?? {
      memory: emptySketch(),
      runtime: emptySketch(),
      numRunOut: { memory: 0, runtime: 0 },
    };
    stems.set(row.stem, sum);
    mergeSketch(sum.memory, readSketch(row.memory));
    mergeSketch(sum.runtime, readSketch(row.runtime));
    sum.numRunOut.memory += row.num_oom;
    sum.numRunOut.runtime += row.num_timeouts;
  }
  return {
    workflow_keys: keys.map(String),
    usage: [...stems].map(([stem, sum]) => ({
      stem,
      memory: measuredBefore(sum.memory, fitRules.memory, sum.numRunOut.memory),
      runtime: measuredBefore(sum.runtime, fitRules.runtime, sum.numRunOut.runtime),
    })),
  };
}

/** If attempts ran out, the largest use may be one of theirs, which was not enough. */
function measuredBefore(sketch: Sketch, rule: FitRule, numRunOut: number) {
  const { proposed } = fitOf(sketch, sketch.max, rule, numRunOut);
  const p95 = quantile(sketch, 0.95);
  return proposed === null || p95 === null ? null : { n: sketch.n, p95: Math.round(p95), max: sketch.max, proposed };
}
