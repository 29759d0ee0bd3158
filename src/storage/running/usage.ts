/** What an attempt has used goes into the roll-up of its workflow. */
import type { Request } from '../../api/contract.ts';
import { stemOf } from '../../model/usage.ts';
import type { Transaction } from '../database/transaction.ts';
import type { JobState } from './transitions.ts';

/** Other failures say little about what a job needs. */
const measuredCauses = ['success', 'oom', 'job_timeout'];

export function noteUse(
  tx: Transaction,
  { job, name, shapeKey }: { job: Pick<JobState, 'workflowKey'>; name: string; shapeKey: number },
  report: Request<'exchange'>['finished'][number],
): void {
  if (!measuredCauses.includes(report.cause)) return;
  const { cause, cpu_ms: cpuMs, peak_memory_bytes: memoryBytes, exec_ms: execMs } = report;
  const cpuThousandths = cpuMs === null || execMs < 1 ? null : Math.round((1000 * cpuMs) / execMs);
  const runtimeMs = Math.round(execMs);
  tx.used({
    workflowKey: job.workflowKey,
    stem: stemOf(name),
    shapeKey,
    cause,
    memoryBytes,
    cpuThousandths,
    runtimeMs,
  });
}
