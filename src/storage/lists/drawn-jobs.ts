/** The jobs of a workflow as its graph shows them: status and edges, without what plans need. */
import type { GroupedGraph, JobGroup } from '../../model/graph/grouped-graph.ts';
import { drawJobs, type GraphInput, groupLabel, smallestGroup } from '../../model/graph/job-groups.ts';
import { commonPrefix, JobNames } from '../../model/graph/job-names.ts';
import { jobStatuses } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { areOfOneWord, firstAndLastName } from '../running/drawings.ts';
import { jobTexts, loadGraph, rangeOfJobs } from '../running/job-graph.ts';
import { jobCounts } from '../running/workflows.ts';

/** A letter for each word by which a job is counted. */
export const words = [...jobStatuses, 'failed'] as const;
const letterOf = (word: (typeof words)[number]): string => String.fromCharCode(97 + words.indexOf(word));
export const letterSql = `CASE j.status WHEN 'done' THEN CASE j.failed WHEN 1 THEN '${letterOf('failed')}' ELSE '${letterOf('done')}' END
  ${jobStatuses.map((status) => `WHEN '${status}' THEN '${letterOf(status)}'`).join(' ')} END`;

/** The index of the word for which a letter stands. */
export function wordNumber(text: string, at: number): number {
  return text.charCodeAt(at) - 97;
}

/** A group, and the first of its jobs; null for a barrier. */
export type DrawnGroup = JobGroup & { first_job_key: string | null };

export interface DrawnGraph extends GroupedGraph {
  groups: DrawnGroup[];
}

/** Reads every job and edge once. Only right after `flushCounts`. */
export function drawFromJobs(tx: Transaction, workflowKey: number): DrawnGraph & { members: Members } {
  const { keys, ...input } = loadDrawn(tx, workflowKey);
  const { groups, edges, groupOf } = drawJobs(input);
  const firstKeys: number[] = [];
  for (let job = groupOf.length - 1; job >= 0; job--) firstKeys[groupOf[job] as number] = keys[job] as number;
  return { groups: withFirst(groups, firstKeys), edges, members: { keys, groupOf } };
}

/** By job: its key, and the group it is in. */
export interface Members {
  keys: Float64Array;
  groupOf: Int32Array;
}

/** `firstKeys`: by group; a barrier has none. */
export function withFirst(groups: readonly JobGroup[], firstKeys: readonly number[]): DrawnGroup[] {
  return groups.map((group, index) => {
    const first = firstKeys[index];
    return { ...group, first_job_key: first === undefined ? null : String(first) };
  });
}

function loadDrawn(tx: Transaction, workflowKey: number): GraphInput & { keys: Float64Array } {
  const { keys, graph } = loadGraph(tx, workflowKey);
  const names = new JobNames(keys.length);
  const countedAs = new Uint8Array(keys.length);
  for (const part of jobTexts(tx, workflowKey, keys, `${letterSql} || j.name`)) {
    names.addAll(part, 1, (job, start) => {
      countedAs[job] = wordNumber(part.text, start);
    });
  }
  return { keys, numJobs: keys.length, graph, names, countedAs, words };
}

/**
 * The one group that all jobs of a workflow form when none waits for another and all names begin with the same word, as
 * those of a sweep: from the stored counts and the index over names. Null for any other workflow.
 */
export function onlyGroup(tx: Transaction, workflowKey: number): DrawnGroup | null {
  const names = firstAndLastName(tx, workflowKey);
  if (names === null || !areOfOneWord(tx, workflowKey)) return null;
  const { first, last } = rangeOfJobs(tx, workflowKey);
  if (tx.db.get('SELECT 1 FROM edges WHERE upstream BETWEEN ? AND ? LIMIT 1', first, last) !== undefined) return null;
  const { failed, done, ...others } = jobCounts(tx, workflowKey);
  const counts = Object.entries({ ...others, done: done - failed, failed }).filter(([, n]) => n > 0);
  const num_jobs = counts.reduce((sum, [, n]) => sum + n, 0);
  if (num_jobs < smallestGroup) return null;
  return {
    label: groupLabel(commonPrefix(...names), 1),
    num_jobs,
    stage: 1,
    counts: Object.fromEntries(counts),
    first_job_key: String(first),
  };
}
