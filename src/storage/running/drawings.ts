/** The groups in which the jobs of a workflow are drawn, stored so that a drawing need not read every job and edge. */
import type { Drawn } from '../../model/graph/job-groups.ts';
import { firstWord } from '../../model/graph/job-names.ts';
import type { Transaction } from '../database/transaction.ts';
import { hasGaps, rangeOfJobs } from './job-graph.ts';

/** What of a drawing follows from names and edges. */
export interface Drawing {
  groups: { label: string; num_jobs: number; stage: number }[];
  edges: [number, number][];
  /** Jobs one after the other that are of one group: the number of the first, and the group. */
  runs: [first: number, group: number][];
}

/** Groups whose jobs alternate more often are not stored: to read them would take as long. */
const mostRuns = 10_000;

/** Stores the groups of a workflow's jobs, whose keys have no gaps. */
export function storeDrawing(
  tx: Transaction,
  { workflowKey, firstJobKey }: { workflowKey: number; firstJobKey: number },
  { groups, edges, groupOf }: Drawn,
): void {
  const runs: Drawing['runs'] = [];
  for (let job = 0; job < groupOf.length; job++) {
    const group = groupOf[job] as number;
    if (group === runs.at(-1)?.[1]) continue;
    if (runs.length === mostRuns) return;
    runs.push([job, group]);
  }
  const drawing: Drawing = {
    groups: groups.map(({ label, num_jobs, stage }) => ({ label, num_jobs, stage })),
    edges,
    runs,
  };
  tx.db.run(
    'INSERT INTO drawings (workflow_key, first_job_key, num_jobs, drawing) VALUES (?, ?, ?, ?)',
    workflowKey,
    firstJobKey,
    groupOf.length,
    JSON.stringify(drawing),
  );
}

/** Null where there is none, or the workflow has other jobs now. Only right after `flushCounts`. */
export function findDrawing(tx: Transaction, workflowKey: number): { drawing: Drawing; firstJobKey: number } | null {
  const sql = 'SELECT first_job_key, num_jobs, drawing FROM drawings WHERE workflow_key = ?';
  const [firstJobKey, numJobs, text] = tx.db.row<[number, number, string]>(sql, workflowKey) ?? [0, 0, ''];
  const range = rangeOfJobs(tx, workflowKey);
  if (text === '' || hasGaps(range) || range.first !== firstJobKey || range.count !== numJobs) return null;
  return { drawing: JSON.parse(text) as Drawing, firstJobKey };
}

/**
 * Whether the first word of all names is that of the first one. By the order of names those between two with one beginning
 * have it too, and what ends the word is '-' to ':' or '_'. After a space the answer is no, which costs only time.
 */
export function areOfOneWord(tx: Transaction, workflowKey: number): boolean {
  const [first, last] = firstAndLastName(tx, workflowKey) ?? ['', ''];
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

/** In the order of names; null without jobs. */
export function firstAndLastName(tx: Transaction, workflowKey: number): [string, string] | null {
  const [first, last] = tx.db.row<[string | null, string | null]>(
    `SELECT (SELECT min(name) FROM jobs WHERE workflow_key = @key), (SELECT max(name) FROM jobs WHERE workflow_key = @key)`,
    { key: workflowKey },
  ) ?? [null, null];
  return first === null || last === null ? null : [first, last];
}
