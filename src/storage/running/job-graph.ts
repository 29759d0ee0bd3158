/** The graph of a whole workflow, and a value of each of its jobs: read in the way that is fastest for a million of them. */
import { buildGraph, type Graph } from '../../model/graph/graph.ts';
import type { Transaction } from '../database/transaction.ts';

export interface StoredGraph {
  /** `keys[n]` is the key of job number n. */
  keys: Float64Array;
  graph: Graph;
}

/** Reads every edge once. */
export function loadGraph(tx: Transaction, workflowKey: number): StoredGraph {
  const keys = keysOf(tx, 'jobs', 'job_key', workflowKey);
  const barrierKeys = keysOf(tx, 'barriers', 'barrier_key', workflowKey);
  const edges = [...edgesOf(tx, keys, barrierKeys, numbering(keys))];
  return { keys, graph: buildGraph(keys.length, barrierKeys.length, edges) };
}

/** Keys without gaps need not be read one by one. */
function keysOf(tx: Transaction, table: 'jobs' | 'barriers', key: string, workflowKey: number): Float64Array {
  const [first, last, count] = tx.db.row<[number | null, number, number]>(
    `SELECT (SELECT min(${key}) FROM ${table} WHERE workflow_key = @key), (SELECT max(${key}) FROM ${table} WHERE workflow_key = @key),
       (SELECT count(*) FROM ${table} WHERE workflow_key = @key)`,
    { key: workflowKey },
  ) ?? [null, 0, 0];
  if (first === null) return new Float64Array();
  if (last - first === count - 1) return new Float64Array(count).map((_, index) => first + index);
  const sql = `SELECT ${key} FROM ${table} WHERE workflow_key = ? ORDER BY ${key}`;
  return Float64Array.from(tx.db.column<number>(sql, workflowKey));
}

/** How many jobs become one text: their values in it are far faster to read than a row for each. */
const jobsPerText = 10_000;

export interface JobTexts {
  /** The number of the first job. */
  first: number;
  numJobs: number;
  /** The values of the jobs, each followed by a NUL. */
  text: string;
}

/** The values of an expression over a job `j` that is never NULL, for jobs with these keys. */
export function* jobTexts(
  tx: Transaction,
  workflowKey: number,
  keys: Float64Array,
  expression: string,
): Generator<JobTexts> {
  for (let first = 0; first < keys.length; first += jobsPerText) {
    const numJobs = Math.min(jobsPerText, keys.length - first);
    // the plus keeps SQLite from looking up each job in the index of the workflow
    const [text = ''] = tx.db.column<string>(
      `SELECT group_concat(value || char(0), '') FROM (SELECT ${expression} AS value FROM jobs j
         WHERE +j.workflow_key = ? AND j.job_key BETWEEN ? AND ? ORDER BY j.job_key)`,
      workflowKey,
      keys[first],
      keys[first + numJobs - 1],
    );
    yield { first, numJobs, text };
  }
}

/** Keys of one workflow are mostly one range without gaps, where a subtraction replaces the lookup. */
export function numbering(keys: Float64Array): (key: number) => number | undefined {
  const first = keys[0] ?? 0;
  const isRange = keys.length === 0 || (keys.at(-1) as number) - first === keys.length - 1;
  if (isRange) return (key) => (key >= first && key < first + keys.length ? key - first : undefined);
  const numbers = new Map<number, number>();
  for (const [number, key] of keys.entries()) numbers.set(key, number);
  return (key) => numbers.get(key);
}

/** The workflow's edges as graph nodes. Keys of other workflows may lie in between and are skipped. */
export function* edgesOf(
  tx: Transaction,
  keys: Float64Array,
  barrierKeys: Float64Array,
  jobNumber: (key: number) => number | undefined,
): Generator<[number, number]> {
  const barrierNumber = numbering(barrierKeys);
  const nodeOf = (key: number): number | undefined => {
    if (key > 0) return jobNumber(key);
    const barrier = barrierNumber(-key);
    return barrier === undefined ? undefined : -1 - barrier;
  };
  const ranges: [number | undefined, number | undefined][] = [
    [keys[0], keys.at(-1)],
    [-(barrierKeys.at(-1) ?? 0), -(barrierKeys[0] ?? 0)],
  ];
  for (const [low, high] of ranges) {
    if (low === undefined || low === 0) continue;
    const sql = 'SELECT upstream, downstream FROM edges WHERE upstream BETWEEN ? AND ?';
    for (const row of tx.db.rows<[number, number]>(sql, low, high)) {
      const [from, to] = [nodeOf(row[0]), nodeOf(row[1])];
      if (from !== undefined && to !== undefined) yield [from, to];
    }
  }
}
