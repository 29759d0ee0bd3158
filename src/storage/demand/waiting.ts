/** Waiting jobs in groups that share their reasons: the same shape, status and kinds of holds. */
import type { WaitingJob, WaitingStatus } from '../../model/decide/demand.ts';
import type { Transaction } from '../database/transaction.ts';

export interface WaitingGroup {
  shapeKey: number;
  status: WaitingStatus;
  /** Whether they have unfinished upstream jobs. */
  hasUpstreams: boolean;
  /** One of each kind, with the earliest `until` among the jobs; null when none of them ends by itself. */
  holds: WaitingJob['holds'];
  numJobs: number;
}

type CountedShape = Pick<WaitingGroup, 'shapeKey' | 'status' | 'numJobs'>;

/** All waiting jobs of a workflow in groups; of those that are not ready, only the jobs of these shapes unless null. */
export function waitingGroups(
  tx: Transaction,
  workflowKey: number,
  shapesOfOthers: readonly number[] | null = null,
): WaitingGroup[] {
  const isMeant = ({ shapeKey, status }: CountedShape): boolean =>
    status === 'ready' || shapesOfOthers === null || shapesOfOthers.includes(shapeKey);
  const held = heldGroups(tx, workflowKey).filter(isMeant);
  const counted = countedShapes(tx, workflowKey, shapesOfOthers).filter(isMeant);
  const groups = counted.map(({ shapeKey, status, numJobs }): WaitingGroup => {
    const others = status === 'blocked' ? held.filter((group) => group.shapeKey === shapeKey) : [];
    const numHeld = others.reduce((sum, group) => sum + group.numJobs, 0);
    return { shapeKey, status, hasUpstreams: status === 'blocked', holds: [], numJobs: numJobs - numHeld };
  });
  return [...groups, ...held].filter(({ numJobs }) => numJobs > 0);
}

/**
 * Where all jobs have one shape, the stored counts say all. Else ready jobs are counted in their index, and the others, if
 * there are any, by a scan of the workflow.
 */
function countedShapes(tx: Transaction, workflowKey: number, shapesOfOthers: readonly number[] | null): CountedShape[] {
  const counts = tx.db.all<Omit<CountedShape, 'shapeKey'>>(
    `SELECT status, sum(n) AS numJobs FROM job_counts WHERE workflow_key = ? AND n > 0
       AND status IN ('uninitialized', 'blocked', 'ready') GROUP BY status`,
    workflowKey,
  );
  if (counts.length === 0) return [];
  const shapes = tx.db.all<{ shape_key: number }>(
    'SELECT shape_key FROM shapes WHERE workflow_key = ? LIMIT 2',
    workflowKey,
  );
  if (shapes.length === 1) return counts.map((count) => ({ ...count, shapeKey: shapes[0]?.shape_key ?? 0 }));
  const ready = counts.some(({ status }) => status === 'ready')
    ? tx.db.all<CountedShape>(
        `SELECT shape_key AS shapeKey, status, count(*) AS numJobs FROM jobs
         WHERE workflow_key = ? AND status = 'ready' GROUP BY shape_key`,
        workflowKey,
      )
    : [];
  const others =
    counts.some(({ status }) => status !== 'ready') && shapesOfOthers?.length !== 0
      ? tx.db.all<CountedShape>(
          `SELECT shape_key AS shapeKey, status, count(*) AS numJobs FROM jobs
         WHERE workflow_key = @key AND status IN ('uninitialized', 'blocked')
           AND (@shapes IS NULL OR shape_key IN (SELECT value FROM json_each(@shapes))) GROUP BY shape_key, status`,
          { key: workflowKey, shapes: shapesOfOthers === null ? null : JSON.stringify(shapesOfOthers) },
        )
      : [];
  return [...ready, ...others];
}

interface HeldRow {
  job_key: number;
  shape_key: number;
  num_blockers: number;
  kind: string;
  until: number | null;
  num_holds: number;
}

/** The cost grows with the number of holds. */
function heldGroups(tx: Transaction, workflowKey: number): WaitingGroup[] {
  const rows = tx.db.all<HeldRow>(
    `SELECT j.job_key, j.shape_key, j.num_blockers, h.kind, count(*) AS num_holds,
       CASE WHEN count(*) = count(h.until) THEN max(h.until) END AS until
     FROM holds h JOIN jobs j ON j.job_key = h.job_key
     WHERE h.workflow_key = ? AND j.status = 'blocked' GROUP BY h.job_key, h.kind ORDER BY h.job_key, h.kind`,
    workflowKey,
  );
  const groups = new Map<string, WaitingGroup>();
  for (const ofJob of byJob(rows)) {
    const { shape_key, num_blockers } = ofJob[0] as HeldRow;
    const hasUpstreams = num_blockers > ofJob.reduce((sum, row) => sum + row.num_holds, 0);
    const id = JSON.stringify([shape_key, hasUpstreams, ofJob.map(({ kind }) => kind)]);
    const group = groups.get(id);
    groups.set(id, {
      shapeKey: shape_key,
      status: 'blocked',
      hasUpstreams,
      holds: ofJob.map(({ kind, until }, index) => ({ kind, until: earliest(until, group?.holds[index]?.until) })),
      numJobs: (group?.numJobs ?? 0) + 1,
    });
  }
  return [...groups.values()];
}

function byJob(rows: readonly HeldRow[]): HeldRow[][] {
  const jobs = new Map<number, HeldRow[]>();
  for (const row of rows) {
    const known = jobs.get(row.job_key);
    if (known === undefined) jobs.set(row.job_key, [row]);
    else known.push(row);
  }
  return [...jobs.values()];
}

function earliest(a: number | null, b: number | null = null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
