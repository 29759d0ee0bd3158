/** What keeps the jobs of a workflow from running, as far as it is known without looking at each blocked job. */
import type { StatusLine } from '../../api/status.ts';
import { isoInstant } from '../../base/clock.ts';
import { reasonsOf, type Situation } from '../../model/decide/demand.ts';
import { groupReasonText } from '../../model/decide/group-reason-text.ts';
import type { WaitingReason } from '../../model/decide/reason.ts';
import type { JobCounts } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { findShape } from '../running/shapes.ts';
import { countReady, mostShapes, readyShapes } from './ready-shapes.ts';
import { readSituation } from './situation.ts';

type HeldBack = StatusLine['held_back'];

/** Of each shape at most this many jobs are counted, so that a million ready ones cost no more than a few. */
const mostCounted = 2_000;

/** The most jobs first; none while every ready job waits only for its turn. `isServed`: whether this process answers workers. */
export function heldBack(tx: Transaction, workflowKey: number, counts: JobCounts, isServed: boolean): HeldBack {
  const isBusy = counts.submitted + counts.submitted_pending > 0;
  const situation = readSituation(tx, workflowKey, isServed, counts.ready > 0 && !isBusy);
  const found = new Map<string, { num_jobs: number; reason: WaitingReason }>();
  const add = (reason: WaitingReason, numJobs: number): void => {
    const id = JSON.stringify(reason);
    found.set(id, { num_jobs: numJobs + (found.get(id)?.num_jobs ?? 0), reason });
  };
  for (const [reason, numJobs] of ofReadyJobs(tx, workflowKey, counts, { situation, isBusy })) add(reason, numJobs);
  for (const [reason, numJobs] of ofOthers(tx, workflowKey, counts, situation)) add(reason, numJobs);
  return [...found.values()]
    .map(({ num_jobs, reason }) => ({ num_jobs, reason, text: groupReasonText(reason, num_jobs) }))
    .toSorted((a, b) => b.num_jobs - a.num_jobs);
}

function* ofReadyJobs(
  tx: Transaction,
  workflowKey: number,
  counts: JobCounts,
  { situation, isBusy }: { situation: Situation; isBusy: boolean },
): Generator<[WaitingReason, number]> {
  if (counts.ready === 0) return;
  const shapeKeys = readyShapes(tx, workflowKey);
  const shapesByReason = new Map<string, { reason: WaitingReason; shapeKeys: number[] }>();
  for (const shapeKey of shapeKeys) {
    const { need, slurmConfigKey, labels, supportsTermination, limits } = findShape(tx, shapeKey);
    const job = { status: 'ready', need, slurmConfigKey, labels, supportsTermination, limits } as const;
    for (const reason of reasonsOf({ ...job, upstreams: null, holds: [] }, situation)) {
      // with other jobs at work, that is how it should be
      if (reason.code === 'waits_for_turn' || (reason.code === 'waits_for_room' && isBusy)) continue;
      const id = JSON.stringify(reason);
      const known = shapesByReason.get(id);
      if (known === undefined) shapesByReason.set(id, { reason, shapeKeys: [shapeKey] });
      else known.shapeKeys.push(shapeKey);
    }
  }
  for (const { reason, shapeKeys: those } of shapesByReason.values()) {
    const isAll = those.length === shapeKeys.length && shapeKeys.length < mostShapes;
    yield [
      reason,
      isAll ? counts.ready : those.reduce((sum, key) => sum + countReady(tx, workflowKey, key, mostCounted), 0),
    ];
  }
}

/** Jobs that are not ready: those that are held, and those of a workflow that stands still as a whole. */
function* ofOthers(
  tx: Transaction,
  workflowKey: number,
  counts: JobCounts,
  { runId, isPaused, hasTimedOut }: Situation,
): Generator<[WaitingReason, number]> {
  if (counts.blocked > 0) {
    const sql = `SELECT kind, count(*) AS numJobs, CASE WHEN count(*) = count(until) THEN min(until) END AS until
      FROM holds WHERE workflow_key = ? GROUP BY kind`;
    for (const row of tx.db.all<{ kind: string; numJobs: number; until: number | null }>(sql, workflowKey)) {
      yield [{ code: 'held', kind: row.kind, until: isoInstant(row.until) }, row.numJobs];
    }
  }
  if (counts.uninitialized > 0) {
    yield [{ code: runId === 0 ? 'workflow_not_started' : 'waits_for_restart' }, counts.uninitialized];
  }
  if (counts.ready > 0 || counts.blocked === 0) return;
  if (isPaused) yield [{ code: 'workflow_paused' }, counts.blocked];
  if (hasTimedOut) yield [{ code: 'workflow_timed_out' }, counts.blocked];
}
