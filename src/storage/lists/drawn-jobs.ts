/** The jobs of a workflow as its graph shows them: status and edges, without what plans need. */
import { buildGraph, type Graph } from '../../model/graph/graph.ts';
import type { JobGroup } from '../../model/graph/grouped-graph.ts';
import { commonPrefix, firstWord, groupLabel, smallestGroup } from '../../model/graph/job-groups.ts';
import { jobStatuses } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { jobCounts } from '../running/workflows.ts';
import { edgesOf, numbering } from '../runs/restart.ts';

/** A letter for each word by which a job is counted. */
const countedAs = [...jobStatuses, 'failed'] as const;
const letters = countedAs.map((_, index) => String.fromCharCode(97 + index));
const letterSql = `CASE j.failed WHEN 1 THEN '${letters.at(-1)}' ELSE CASE j.status ${jobStatuses
  .map((status, index) => `WHEN '${status}' THEN '${letters[index]}'`)
  .join(' ')} END END`;

interface DrawnJobs {
  numJobs: number;
  graph: Graph;
  /** The word by which a job is counted. */
  countedAs(job: number): string;
}

/** How many jobs become one text: their letters are far faster to read than a row for each. */
const jobsPerText = 10_000;

/** Reads every job and edge once. */
export function loadDrawn(tx: Transaction, workflowKey: number): DrawnJobs {
  const keys = keysOf(tx, 'jobs', 'job_key', workflowKey);
  const barrierKeys = keysOf(tx, 'barriers', 'barrier_key', workflowKey);
  const counted = new Uint8Array(keys.length);
  for (let first = 0; first < keys.length; first += jobsPerText) {
    const last = keys[Math.min(first + jobsPerText, keys.length) - 1];
    const [text = ''] = tx.db.column<string>(
      `SELECT group_concat(letter, '') FROM (SELECT ${letterSql} AS letter FROM jobs j
         WHERE j.workflow_key = ? AND j.job_key BETWEEN ? AND ? ORDER BY j.job_key)`,
      workflowKey,
      keys[first],
      last,
    );
    for (let at = 0; at < text.length; at++) counted[first + at] = text.charCodeAt(at) - 97;
  }
  const edges = [...edgesOf(tx, keys, barrierKeys, numbering(keys))];
  return {
    numJobs: keys.length,
    graph: buildGraph(keys.length, barrierKeys.length, edges),
    countedAs: (job) => countedAs[counted[job] as number] as string,
  };
}

function keysOf(tx: Transaction, table: 'jobs' | 'barriers', key: string, workflowKey: number): Float64Array {
  const sql = `SELECT ${key} FROM ${table} WHERE workflow_key = ? ORDER BY ${key}`;
  return Float64Array.from(tx.db.column<number>(sql, workflowKey));
}

/**
 * The one group that all jobs of a workflow form when none waits for another and all names begin with the same word, as
 * those of a sweep: from the stored counts and the index over names. Null for any other workflow.
 */
export function onlyGroup(tx: Transaction, workflowKey: number): JobGroup | null {
  const [first, last, firstKey, lastKey] = tx.db.row<[string | null, string | null, number | null, number | null]>(
    `SELECT (SELECT min(name) FROM jobs WHERE workflow_key = @key), (SELECT max(name) FROM jobs WHERE workflow_key = @key),
       (SELECT min(job_key) FROM jobs WHERE workflow_key = @key), (SELECT max(job_key) FROM jobs WHERE workflow_key = @key)`,
    { key: workflowKey },
  ) ?? [null, null, null, null];
  if (first === null || last === null || !isOneWord(tx, workflowKey, first, last)) return null;
  if (tx.db.get('SELECT 1 FROM edges WHERE upstream BETWEEN ? AND ? LIMIT 1', firstKey, lastKey) !== undefined)
    return null;
  const { failed, done, ...others } = jobCounts(tx, workflowKey);
  const counts = Object.entries({ ...others, done: done - failed, failed }).filter(([, n]) => n > 0);
  const num_jobs = counts.reduce((sum, [, n]) => sum + n, 0);
  if (num_jobs < smallestGroup) return null;
  return {
    label: groupLabel(commonPrefix(first, last), 1),
    num_jobs,
    stage: 1,
    counts: Object.fromEntries(counts),
  };
}

/**
 * Whether the first word of all names is that of the first one. By the order of names those between two with one beginning
 * have it too, and what ends the word is '-' to ':' or '_'. After a space the answer is no, which costs only time.
 */
function isOneWord(tx: Transaction, workflowKey: number, first: string, last: string): boolean {
  const word = firstWord(first);
  if (!last.startsWith(word)) return false;
  const other = tx.db.row<[number]>(
    `SELECT EXISTS (SELECT 1 FROM jobs WHERE workflow_key = @key AND name > @word AND name < @word || '-')
       OR EXISTS (SELECT 1 FROM jobs WHERE workflow_key = @key AND name >= @word || ';' AND name < @word || '_')
       OR EXISTS (SELECT 1 FROM jobs WHERE workflow_key = @key AND name >= @word || char(96))`,
    { key: workflowKey, word },
  );
  return other?.[0] === 0;
}
