/** What an attempt has used goes into the roll-up of its workflow. */
import type { Request } from '../../api/contract.ts';
import { exceededField, type ScaledField } from '../../model/scale.ts';
import { stemOf } from '../../model/usage.ts';
import type { Transaction } from '../database/transaction.ts';
import { readShape } from './shapes.ts';
import type { JobState } from './transitions.ts';

/** Other failures say little about what a job needs. */
const measuredCauses = ['success', 'oom', 'job_timeout'];

/** Of an attempt that ran out of something, at least all of it counts: its peak may lie between two measurements. */
export function noteUse(
  tx: Transaction,
  attempt: { attemptKey: number; job: Pick<JobState, 'workflowKey'>; name: string; shapeKey: number },
  report: Request<'exchange'>['finished'][number],
): void {
  if (report.status !== 'done' || !measuredCauses.includes(report.cause)) return;
  const { job, name, shapeKey } = attempt;
  const { cause, cpu_ms: cpuMs, peak_memory_bytes: peakBytes, exec_ms: execMs } = report;
  const field = exceededField(cause);
  const exceeded = field === null ? null : requestOf(tx, attempt)[field];
  const atLeast = (used: number | null, ofField: ScaledField): number | null =>
    field === ofField && exceeded !== null ? Math.max(used ?? 0, exceeded) : used;
  tx.used({
    workflowKey: job.workflowKey,
    stem: stemOf(name),
    shapeKey,
    cause,
    memoryBytes: atLeast(peakBytes, 'memory'),
    cpuThousandths: cpuMs === null || execMs < 1 ? null : Math.round((1000 * cpuMs) / execMs),
    runtimeMs: Math.round(atLeast(execMs, 'runtime') ?? execMs),
  });
}

/**
 * The same for an attempt that took its worker down with it, when its process was seen to be gone: it may have ended
 * before, but not after its stated runtime.
 */
export function noteLostUse(tx: Transaction, attemptKey: number, goneAt: number): void {
  const row = tx.db.get<{
    workflowKey: number;
    startedAt: number;
    shapeKey: number;
    name: string;
    peak: number | null;
  }>(
    `SELECT a.workflow_key AS workflowKey, coalesce(a.started_at, a.claimed_at) AS startedAt, j.shape_key AS shapeKey,
       j.name, coalesce(json_extract(a.diagnosis, '$.peak_memory_bytes'), a.peak_memory_bytes) AS peak
     FROM attempts a JOIN jobs j ON j.job_key = a.job_key WHERE a.attempt_key = ?`,
    attemptKey,
  );
  if (row === undefined) return;
  const { workflowKey, startedAt, shapeKey, name, peak } = row;
  const asked = requestOf(tx, { attemptKey, shapeKey });
  const memoryBytes = peak === null && asked.memory === null ? null : Math.max(peak ?? 0, asked.memory ?? 0);
  const runtimeMs = Math.min(Math.max(0, goneAt - startedAt), asked.runtime ?? Number.POSITIVE_INFINITY);
  tx.used({ workflowKey, stem: stemOf(name), shapeKey, cause: 'oom', memoryBytes, cpuThousandths: null, runtimeMs });
}

/** What an attempt asked for when it was claimed; null where that was not stated. */
function requestOf(
  tx: Transaction,
  { attemptKey, shapeKey }: { attemptKey: number; shapeKey: number },
): Record<ScaledField, number | null> {
  const sql = 'SELECT shape_key FROM attempts WHERE attempt_key = ?';
  const claimed = tx.db.get<{ shape_key: number | null }>(sql, attemptKey)?.shape_key;
  const { memoryBytes, isMemoryStated, runtimeMs, isRuntimeStated } = readShape(tx, claimed ?? shapeKey);
  return { memory: isMemoryStated ? memoryBytes : null, runtime: isRuntimeStated ? runtimeMs : null };
}
