/** Where the output of attempts is, as lists show it. */
import type { ListRecord } from '../../api/contract.ts';
import { combinedLogPath, type JobStdioPaths, jobStdioPaths, slotPaths } from '../../base/paths.ts';
import type { LogPlace } from '../running/log-place.ts';
import { type Column, columns } from './columns.ts';

/** Of an attempt `a` on the compute node `n`: what `withPlace` reads. */
export const placeColumns: Column[] = [
  ...columns('text', ['output_directory', 'n.output_directory'], ['worker_id', 'n.worker_id'], ['stdio', 'n.stdio']),
  ...columns('text', ['log_kind', 'a.log_kind']),
  ...columns('integer', ['log_slot', 'a.log_slot'], ['log_offset', 'a.log_offset'], ['log_length', 'a.log_length']),
];

/**
 * `files`: at the paths. `slot`: there too, but only until the attempt's end is told: then another one may write there.
 * `combined`: at offset and length in the file that both paths name. `empty`: it wrote nothing. `none`, `removed`: it is
 * not kept. `unknown`: its worker did not say.
 */
type ShownKind = 'files' | 'slot' | 'combined' | 'empty' | 'none' | 'removed' | 'unknown';

/** An attempt with the place of its output, as far as its worker said where it puts output. */
export function withPlace(row: ListRecord): ListRecord {
  const { output_directory, worker_id, stdio, log_slot, ...attempt } = row;
  const { kind, paths } =
    typeof output_directory === 'string' ? placeOf(row, output_directory) : { kind: 'unknown', paths: null };
  return {
    ...attempt,
    log_kind: kind,
    stdout_path: paths?.stdoutPath ?? null,
    stderr_path: paths?.stderrPath ?? null,
  };
}

function placeOf(row: ListRecord, output: string): { kind: ShownKind; paths: JobStdioPaths | null } {
  const workerId = row.worker_id as string;
  const kind = row.log_kind as LogPlace['kind'] | null;
  if (row.stdio === 'none') return { kind: 'none', paths: null };
  if (kind === 'empty' || kind === 'removed') return { kind, paths: null };
  if (kind === 'combined') {
    const path = combinedLogPath(output, workerId);
    return { kind, paths: { stdoutPath: path, stderrPath: path } };
  }
  if (row.stdio !== 'combined') {
    const { job_key, run_id, attempt_id } = row as { job_key: string; run_id: number; attempt_id: number };
    return { kind: 'files', paths: jobStdioPaths(output, { jobKey: job_key, runId: run_id, attemptId: attempt_id }) };
  }
  if (typeof row.log_slot !== 'number') return { kind: 'unknown', paths: null };
  return { kind: kind === 'slot' ? 'files' : 'slot', paths: slotPaths(output, workerId, row.log_slot) };
}
