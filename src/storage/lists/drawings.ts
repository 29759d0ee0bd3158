/** A drawing from the groups that were stored when a workflow was created, with how its jobs are now. */
import type { Transaction } from '../database/transaction.ts';
import { type Drawing, findDrawing } from '../running/drawings.ts';
import { jobTexts, keysFrom } from '../running/job-graph.ts';
import { jobCounts } from '../running/workflows.ts';
import { type DrawnGraph, letterSql, withFirst, wordNumber, words } from './drawn-jobs.ts';

/** Shorter runs of the largest group are read with those around them. */
const shortestSkipped = 10_000;

/**
 * Reads the status of every job except most of those of the largest group, which are the rest of the stored counts. Null
 * where no groups are stored, or not those of the jobs there are now.
 */
export function readDrawing(tx: Transaction, workflowKey: number, longRun = shortestSkipped): DrawnGraph | null {
  const found = findDrawing(tx, workflowKey);
  if (found === null) return null;
  const { drawing, firstJobKey } = found;
  const { groups, edges } = drawing;
  const largest = groups.reduce((best, { num_jobs }, index) => {
    return num_jobs > (groups[best]?.num_jobs ?? 0) ? index : best;
  }, 0);
  const counts: Float64Array[] = groups.map(() => new Float64Array(words.length));
  for (const { first, end, groupAt } of spansBeside(drawing, largest, longRun)) {
    const keys = keysFrom(firstJobKey + first, firstJobKey + end - 1);
    for (const part of jobTexts(tx, workflowKey, keys, letterSql)) {
      for (let job = 0; job < part.numJobs; job++) {
        const own = counts[groupAt(first + part.first + job)] as Float64Array;
        const word = wordNumber(part.text, 2 * job);
        own[word] = (own[word] as number) + 1;
      }
    }
  }
  counts[largest] = restOf(tx, workflowKey, counts, largest);
  const counted = groups.map((group, index) => {
    const own = words.map((word, number): [string, number] => [word, counts[index]?.[number] ?? 0]);
    return { ...group, counts: Object.fromEntries(own.filter(([, count]) => count > 0)) };
  });
  const firstKeys: number[] = [];
  for (const [first, group] of drawing.runs) firstKeys[group] ??= firstJobKey + first;
  return { groups: withFirst(counted, firstKeys), edges };
}

interface Span {
  first: number;
  end: number;
  /** The group of a job; asked in their order. */
  groupAt: (job: number) => number;
}

/** All jobs except long runs of one group. */
function spansBeside({ groups, runs }: Drawing, left: number, longRun: number): Span[] {
  const numJobs = groups.reduce((sum, { num_jobs }) => sum + num_jobs, 0);
  const endOf = (run: number): number => runs[run + 1]?.[0] ?? numJobs;
  const spans: Span[] = [];
  let isOpen = false;
  for (const [run, [first, group]] of runs.entries()) {
    const end = endOf(run);
    const isLeft = group === left && end - first >= longRun;
    if (!isLeft && isOpen) (spans.at(-1) as Span).end = end;
    else if (!isLeft) {
      let at = run;
      const groupAt = (job: number): number => {
        while (job >= endOf(at)) at += 1;
        return (runs[at] as [number, number])[1];
      };
      spans.push({ first, end, groupAt });
    }
    isOpen = !isLeft;
  }
  return spans;
}

/** What the stored counts leave to one group. */
function restOf(tx: Transaction, workflowKey: number, counts: readonly Float64Array[], group: number): Float64Array {
  const { failed, done, ...others } = jobCounts(tx, workflowKey);
  const all: Record<(typeof words)[number], number> = { ...others, done: done - failed, failed };
  return Float64Array.from(words, (word, number) =>
    counts.reduce((rest, own, index) => (index === group ? rest : rest - (own[number] as number)), all[word]),
  );
}
