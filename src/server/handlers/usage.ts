/** What jobs use of what they ask for, and of what they are given. */
import type { Reply, Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { allocationHours, type JobTime, totalHours } from '../../model/decide/node-hours.ts';
import { addJobTimes, workerTimes } from '../../storage/lists/node-hours.ts';
import {
  addCountedShapes,
  addShapesOfStems,
  earlierUsage,
  measuredStems,
  readUsage,
} from '../../storage/lists/usage.ts';
import type { ServerContext } from '../context.ts';
import { inParts } from './parts.ts';

/** Where it looks at the jobs, that is in parts, so that others are served in between. */
export async function showUsage(
  { db, view }: ServerContext,
  { workflow_key }: Request<'usage'>,
  signal?: AbortSignal,
): Promise<Reply<'usage'>> {
  const workflowKey = Number(workflow_key);
  const stems = measuredStems(db, workflowKey);
  if (!addCountedShapes(db, workflowKey, stems)) {
    await inParts(signal, (after) => addShapesOfStems(db, workflowKey, stems, after));
  }
  return readUsage(view, workflowKey, stems);
}

export function showEarlierUsage(
  { view, info }: ServerContext,
  request: Request<'usage_earlier'>,
): Reply<'usage_earlier'> {
  return earlierUsage(view, { ...request, user: info.user });
}

/** Summed in parts, so that others are served in between. */
export async function showUsageHours(
  { db, clock }: ServerContext,
  { workflow_key }: Request<'usage_hours'>,
  signal?: AbortSignal,
): Promise<Reply<'usage_hours'>> {
  const workflowKey = Number(workflow_key);
  const now = clock.now();
  const jobs = new Map<number, JobTime>();
  await inParts(signal, (after) => addJobTimes(db, workflowKey, { sums: jobs, after, now }));
  const { workers, numNodes } = workerTimes(db, workflowKey);
  const rows = allocationHours(workers, { numNodes, jobs, now });
  return {
    allocations: rows.map(({ startedAt, endedAt, ...row }) => ({
      ...row,
      started_at: isoInstant(startedAt),
      ended_at: endedAt === null ? null : isoInstant(endedAt),
    })),
    total: totalHours(rows),
  };
}
