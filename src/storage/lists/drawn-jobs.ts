/** The jobs of a workflow as its graph shows them: status and edges, without what plans need. */
import type { JobGroup } from '../../model/graph/grouped-graph.ts';
import { type GraphInput, groupLabel, smallestGroup } from '../../model/graph/job-groups.ts';
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

/** Reads every job and edge once. Only right after `flushCounts`. */
export function loadDrawn(tx: Transaction, workflowKey: number): GraphInput {
  const { keys, graph } = loadGraph(tx, workflowKey);
  const names = new JobNames(keys.length);
  const countedAs = new Uint8Array(keys.length);
  for (const part of jobTexts(tx, workflowKey, keys, `${letterSql} || j.name`)) {
    names.addAll(part, 1, (job, start) => {
      countedAs[job] = wordNumber(part.text, start);
    });
  }
  return { numJobs: keys.length, graph, names, countedAs, words };
}

/**
 * The one group that all jobs of a workflow form when none waits for another and all names begin with the same word, as
 * those of a sweep: from the stored counts and the index over names. Null for any other workflow.
 */
export function onlyGroup(tx: Transaction, workflowKey: number): JobGroup | null {
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
  };
}
