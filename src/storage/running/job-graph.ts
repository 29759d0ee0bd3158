/** The graph of a whole workflow, and a value of each of its jobs: read in the way that is fastest for a million of them. */
import { type Graph, graphOf } from '../../model/graph/graph.ts';
import { integersIn } from '../database/integers.ts';
import type { Transaction } from '../database/transaction.ts';

export interface StoredGraph {
  /** `keys[n]` is the key of job number n. */
  keys: Float64Array;
  graph: Graph;
}

/** Reads every edge once. Only right after `flushCounts`. */
export function loadGraph(tx: Transaction, workflowKey: number): StoredGraph {
  const keys = keysOfJobs(tx, workflowKey);
  return { keys, graph: readGraph(tx, keys, keysOfBarriers(tx, workflowKey)) };
}

/** Keys of a workflow: how many, and the first and last of them. */
export interface KeyRange {
  first: number;
  last: number;
  count: number;
}

/** Only right after `flushCounts`. */
export function rangeOfJobs(tx: Pick<Transaction, 'db'>, workflowKey: number): KeyRange {
  return rangeOf(tx, 'job_key', 'jobs', 'SELECT coalesce(sum(n), 0) FROM job_counts', workflowKey);
}

function rangeOf(
  tx: Pick<Transaction, 'db'>,
  key: string,
  table: string,
  count: string,
  workflowKey: number,
): KeyRange {
  const [first, last, numKeys] = tx.db.row<[number | null, number | null, number]>(
    `SELECT (SELECT min(${key}) FROM ${table} WHERE workflow_key = @key), (SELECT max(${key}) FROM ${table} WHERE workflow_key = @key),
       (${count} WHERE workflow_key = @key)`,
    { key: workflowKey },
  ) ?? [null, null, 0];
  return { first: first ?? 0, last: last ?? -1, count: numKeys };
}

export function hasGaps({ first, last, count }: KeyRange): boolean {
  return last - first !== count - 1;
}

/** Only right after `flushCounts`. */
export function keysOfJobs(tx: Transaction, workflowKey: number): Float64Array {
  return keysIn(tx, 'job_key', 'jobs', rangeOfJobs(tx, workflowKey), workflowKey);
}

export function keysOfBarriers(tx: Transaction, workflowKey: number): Float64Array {
  const range = rangeOf(tx, 'barrier_key', 'barriers', 'SELECT count(*) FROM barriers', workflowKey);
  return keysIn(tx, 'barrier_key', 'barriers', range, workflowKey);
}

/** Keys without gaps need not be read one by one. */
function keysIn(tx: Transaction, key: string, table: string, range: KeyRange, workflowKey: number): Float64Array {
  if (!hasGaps(range)) return keysFrom(range.first, range.last);
  const sql = `SELECT ${key} FROM ${table} WHERE workflow_key = ? ORDER BY ${key}`;
  return Float64Array.from(tx.db.column<number>(sql, workflowKey));
}

export function keysFrom(first: number, last: number): Float64Array {
  const keys = new Float64Array(last - first + 1);
  for (let number = 0; number < keys.length; number++) keys[number] = first + number;
  return keys;
}

/** How many jobs become one text: their values in it are far faster to read than a row for each. */
const jobsPerText = 10_000;

interface JobPart {
  /** The number of the first job. */
  first: number;
  numJobs: number;
}

function* partsOf(keys: Float64Array): Generator<JobPart & { low: number; high: number }> {
  for (let first = 0; first < keys.length; first += jobsPerText) {
    const numJobs = Math.min(jobsPerText, keys.length - first);
    yield { first, numJobs, low: keys[first] as number, high: keys[first + numJobs - 1] as number };
  }
}

/** The plus keeps SQLite from looking up each job in the index of the workflow. */
const jobsOfPart = 'FROM jobs j WHERE +j.workflow_key = ? AND j.job_key BETWEEN ? AND ? ORDER BY j.job_key';

export interface JobTexts extends JobPart {
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
  for (const { first, numJobs, low, high } of partsOf(keys)) {
    const sql = `SELECT group_concat(value || char(0), '') FROM (SELECT ${expression} AS value ${jobsOfPart})`;
    const [text = ''] = tx.db.column<string>(sql, workflowKey, low, high);
    yield { first, numJobs, text };
  }
}

/** The values of two expressions over a job `j` that are whole numbers, for jobs with these keys. */
export function* jobIntegers(
  tx: Transaction,
  workflowKey: number,
  keys: Float64Array,
  expressions: readonly [string, string],
): Generator<JobPart & { values: [number[], number[]] }> {
  const [one, two] = expressions;
  const sql = `SELECT group_concat(one), group_concat(two) FROM (SELECT ${one} AS one, ${two} AS two ${jobsOfPart})`;
  for (const { first, numJobs, low, high } of partsOf(keys)) {
    const [ones, twos] = tx.db.row<[string, string]>(sql, workflowKey, low, high) ?? [null, null];
    yield { first, numJobs, values: [integersIn(ones), integersIn(twos)] };
  }
}

/** The numbers of keys, which are sorted: by the runs of keys without gaps, of which there are mostly few. */
export function numbering(keys: Float64Array): (key: number) => number | undefined {
  const starts: number[] = [];
  for (let start = 0; start < keys.length; start = endOfRun(keys, start)) starts.push(start);
  return (key) => {
    let low = 0;
    let high = starts.length;
    // the last run that begins at the key or before it
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((keys[starts[middle] as number] as number) <= key) low = middle;
      else high = middle;
    }
    const first = starts[low] ?? 0;
    const number = first + key - (keys[first] ?? Number.POSITIVE_INFINITY);
    return number >= first && number < (starts[low + 1] ?? keys.length) ? number : undefined;
  };
}

/** The number after the last of the keys that follow this one without gaps. */
function endOfRun(keys: Float64Array, start: number): number {
  const first = keys[start] as number;
  let end = start + 1;
  let step = 1;
  // further and further while there are no gaps, then back
  for (; end + step <= keys.length && keys[end + step - 1] === first + end + step - 1 - start; step *= 2) end += step;
  for (; step >= 1; step /= 2) {
    if (end + step <= keys.length && keys[end + step - 1] === first + end + step - 1 - start) end += step;
  }
  return end;
}

/** So many upstreams are read at a time, with their edges as a text: far faster than a row for each edge. */
const upstreamsPerText = 10_000;

/**
 * The edges among the jobs and barriers of a workflow with these keys; those of other workflows may lie in between. Only those
 * from nodes that count.
 */
export function readGraph(
  tx: Transaction,
  keys: Float64Array,
  barrierKeys: Float64Array,
  counts: (node: number) => boolean = () => true,
): Graph {
  const [jobNumber, barrierNumber] = [numbering(keys), numbering(barrierKeys)];
  const nodeOf = (key: number): number => {
    if (key > 0) return jobNumber(key) ?? -1;
    const barrier = barrierNumber(-key);
    return barrier === undefined ? -1 : keys.length + barrier;
  };
  const [from, to]: [number[], number[]] = [[], []];
  for (const [low, high] of [
    [keys[0] ?? 0, keys.at(-1) ?? -1],
    [-(barrierKeys.at(-1) ?? 0), -(barrierKeys[0] ?? 1)],
  ] as const) {
    for (let first = low; first <= high; first += upstreamsPerText) {
      const texts = tx.db.row<[string | null, string | null]>(
        'SELECT group_concat(upstream), group_concat(downstream) FROM edges WHERE upstream BETWEEN ? AND ?',
        first,
        Math.min(high, first + upstreamsPerText - 1),
      );
      const [upstreams = [], downstreams = []] = (texts ?? []).map(integersIn);
      for (let edge = 0; edge < upstreams.length; edge++) {
        const upstream = nodeOf(upstreams[edge] as number);
        if (upstream < 0 || !counts(upstream)) continue;
        const downstream = nodeOf(downstreams[edge] as number);
        if (downstream < 0) continue;
        from.push(upstream);
        to.push(downstream);
      }
    }
  }
  return graphOf(keys.length + barrierKeys.length, from, to);
}
