/** The jobs of one group of a workflow's drawing: a few of them, those in trouble first. */
import type { RecordOf, Reply } from '../../api/contract.ts';
import type { Transaction } from '../database/transaction.ts';
import { liveAttemptsSql } from '../running/attempt-sets.ts';
import { findDrawing } from '../running/drawings.ts';
import { numbering, rangeOfJobs } from '../running/job-graph.ts';
import { drawFromJobs, type Members, onlyGroup } from './drawn-jobs.ts';
import { readList } from './lists.ts';

/** More failed or running jobs of a workflow than this are not all looked at. */
const mostLookedAt = 20_000;

/** Keys from the first to the last, between which a workflow has no other jobs. */
type Span = readonly [first: number, last: number];

interface Group {
  numJobs: number;
  /** In the order of keys. */
  spans: readonly Span[];
}

/** The group in which a job is; null for a job that the workflow does not have. Only right after `flushCounts`. */
export function readGroup(
  tx: Transaction,
  workflowKey: number,
  jobKey: number,
  limit: number,
): Reply<'graph_group'> | null {
  const sql = 'SELECT 1 FROM jobs WHERE job_key = ? AND workflow_key = ?';
  if (tx.db.get(sql, jobKey, workflowKey) === undefined) return null;
  const { numJobs, spans } = groupOf(tx, workflowKey, jobKey);
  const keys = [...new Set([...inTrouble(tx, workflowKey, spans), ...firstOf(tx, workflowKey, spans, limit)])];
  return {
    first_job_key: String(spans[0]?.[0] ?? jobKey),
    num_jobs: numJobs,
    jobs: jobsOf(tx, workflowKey, keys.slice(0, limit)),
  };
}

function groupOf(tx: Transaction, workflowKey: number, jobKey: number): Group {
  const only = onlyGroup(tx, workflowKey);
  if (only !== null) {
    const { first, last } = rangeOfJobs(tx, workflowKey);
    return { numJobs: only.num_jobs, spans: [[first, last]] };
  }
  const found = findDrawing(tx, workflowKey);
  if (found === null) return fromMembers(drawFromJobs(tx, workflowKey).members, jobKey);
  const { drawing, firstJobKey } = found;
  const numJobs = drawing.groups.reduce((sum, { num_jobs }) => sum + num_jobs, 0);
  const spans = drawing.runs.map(([first, group], run) => {
    const end = drawing.runs[run + 1]?.[0] ?? numJobs;
    return { group, span: [firstJobKey + first, firstJobKey + end - 1] as const };
  });
  const own = spans.find(({ span: [, last] }) => jobKey <= last)?.group ?? 0;
  return {
    numJobs: drawing.groups[own]?.num_jobs ?? 0,
    spans: spans.filter(({ group }) => group === own).map(({ span }) => span),
  };
}

function fromMembers({ keys, groupOf }: Members, jobKey: number): Group {
  const own = groupOf[numbering(keys)(jobKey) ?? -1];
  const spans: [number, number][] = [];
  let [numJobs, before] = [0, -1];
  for (let job = 0; job < keys.length; job++) {
    if (groupOf[job] !== own) continue;
    const key = keys[job] as number;
    numJobs += 1;
    if (before === job - 1 && spans.length > 0) (spans.at(-1) as [number, number])[1] = key;
    else spans.push([key, key]);
    before = job;
  }
  return { numJobs, spans };
}

/** Failed jobs, then running ones, each in the order of keys. */
function inTrouble(tx: Transaction, workflowKey: number, spans: readonly Span[]): number[] {
  const failed = 'SELECT job_key FROM jobs INDEXED BY jobs_failed WHERE workflow_key = ? AND failed = 1 LIMIT ?';
  const claimed = `SELECT * FROM (${liveAttemptsSql('a.job_key')}) LIMIT ?`;
  return [
    tx.db.column<number>(failed, workflowKey, mostLookedAt),
    tx.db.column<number>(claimed, workflowKey, workflowKey, mostLookedAt),
  ].flatMap((keys) => keys.filter((key) => isIn(spans, key)).sort((a, b) => a - b));
}

function isIn(spans: readonly Span[], key: number): boolean {
  let [low, high] = [0, spans.length];
  // the last span that begins at the key or before it
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((spans[middle] as Span)[0] <= key) low = middle;
    else high = middle;
  }
  const [first, last] = spans[low] ?? [0, -1];
  return first <= key && key <= last;
}

function firstOf(tx: Transaction, workflowKey: number, spans: readonly Span[], limit: number): number[] {
  const found: number[] = [];
  for (const [first, last] of spans) {
    const sql = `SELECT job_key FROM jobs INDEXED BY jobs_workflow WHERE workflow_key = ? AND job_key BETWEEN ? AND ?
      ORDER BY job_key LIMIT ?`;
    found.push(...tx.db.column<number>(sql, workflowKey, first, last, limit - found.length));
    if (found.length === limit) break;
  }
  return found;
}

/** In the order of the keys that are given. */
function jobsOf(tx: Transaction, workflowKey: number, keys: readonly number[]): Reply<'graph_group'>['jobs'] {
  const filters = [{ column: 'job_key', value: keys.join() }];
  const request = { list: 'jobs', workflow_key: String(workflowKey), sort_by: null, reverse: false, skip: 0 } as const;
  const { records } = readList(tx.db, { ...request, filters, limit: keys.length });
  const byKey = new Map((records as RecordOf<'jobs'>[]).map((record) => [record.job_key, record]));
  return keys.flatMap((key) => {
    const record = byKey.get(String(key));
    if (record === undefined) return [];
    const { job_key, name, status, outcome, orphaned } = record;
    return [{ job_key, name, status, outcome, orphaned }];
  });
}
