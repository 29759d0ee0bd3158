/** The jobs of a workflow as its graph shows them: status and edges, without what plans need. */
import type { JobGroup } from '../../model/graph/grouped-graph.ts';
import { type GraphInput, groupLabel, smallestGroup } from '../../model/graph/job-groups.ts';
import { commonPrefix, firstWord, JobNames } from '../../model/graph/job-names.ts';
import { jobStatuses } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { jobTexts, loadGraph } from '../running/job-graph.ts';
import { jobCounts } from '../running/workflows.ts';

/** A letter for each word by which a job is counted. */
const words = [...jobStatuses, 'failed'] as const;
const letterOf = (word: (typeof words)[number]): string => String.fromCharCode(97 + words.indexOf(word));
const letterSql = `CASE j.status WHEN 'done' THEN CASE j.failed WHEN 1 THEN '${letterOf('failed')}' ELSE '${letterOf('done')}' END
  ${jobStatuses.map((status) => `WHEN '${status}' THEN '${letterOf(status)}'`).join(' ')} END`;

/** Reads every job and edge once. */
export function loadDrawn(tx: Transaction, workflowKey: number): GraphInput {
  const { keys, graph } = loadGraph(tx, workflowKey);
  const numJobs = keys.length;
  const names = new JobNames(numJobs);
  const countedAs = new Uint8Array(numJobs);
  for (const { first, numJobs, text } of jobTexts(tx, workflowKey, keys, `${letterSql} || j.name`)) {
    const number = names.addText(text);
    let start = 0;
    for (let job = first; job < first + numJobs; job++) {
      const end = text.indexOf('\0', start);
      countedAs[job] = text.charCodeAt(start) - 97;
      names.put(job, number, start + 1, end);
      start = end + 1;
    }
  }
  return { numJobs, graph, names, countedAs, words };
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
