/** Where the output of attempts is, as lists show it. */
import type { JobShown } from '../../api/contract.ts';
import { combinedLogPath, jobStdioPaths, slotPaths, timeSeriesPath } from '../../base/paths.ts';
import { type StdioMode, stdioOutputs, stdioParts } from '../../model/launch.ts';
import type { LogPlace } from '../running/log-place.ts';
import { type Column, columns } from './columns.ts';

/** That of a running job; what an ended one stated is in its `log_kind`. */
const stdioOf = `CASE WHEN a.ended_at IS NULL
  THEN coalesce((SELECT l.launch ->> '$.stdio' FROM job_launch l WHERE l.job_key = a.job_key), n.stdio) ELSE n.stdio END`;

/** Whether the workflow has its jobs' use recorded over time. */
const hasSeries = `(SELECT w.sample_interval_ms IS NOT NULL FROM workflows w WHERE w.workflow_key = a.workflow_key)`;

/** The columns of an attempt `a` on the compute node `n` that `placeOf` reads; failed outputs are read in this order. */
export const placeColumns: Column[] = [
  ...columns('text', ['output_directory', 'n.output_directory'], ['worker_id', 'n.worker_id'], ['stdio', stdioOf]),
  ...columns('text', ['log_kind', 'a.log_kind']),
  ...columns('integer', ['log_slot', 'a.log_slot'], ['log_offset', 'a.log_offset'], ['log_length', 'a.log_length']),
];

/** What `withPlace` reads besides. */
export const seriesColumns: Column[] = columns('flag', ['has_series', hasSeries]);

type ShownAttempt = JobShown['attempts'][number];
type ShownKind = ShownAttempt['log_kind'];
type WithoutPlace = Omit<ShownAttempt, 'log_kind' | 'stdout_path' | 'stderr_path' | 'time_series_path'>;

/** An attempt with `placeColumns` and `seriesColumns`. */
export type StoredAttempt = WithoutPlace & {
  output_directory: string | null;
  /** Null where no process ran, as the output directory is then. */
  worker_id: string | null;
  stdio: StdioMode | null;
  has_series: boolean | null;
  log_kind: LogPlace['kind'] | 'pruned' | null;
  log_slot: number | null;
};

/** An attempt with the place of its output, if its worker has reported it. */
export function withPlace(row: StoredAttempt): ShownAttempt {
  const { kind, paths }: Place =
    row.output_directory === null ? { kind: 'unknown', paths: null } : placeOf(row, row.output_directory);
  const shown: Record<string, unknown> = {};
  // many times faster than a rest pattern or a list of entries, and there may be thousands of rows
  for (const name in row) if (!hiddenColumns.has(name)) shown[name] = row[name as keyof StoredAttempt];
  shown.log_kind = kind;
  shown.stdout_path = paths?.stdoutPath ?? null;
  shown.stderr_path = paths?.stderrPath ?? null;
  shown.time_series_path = seriesOf(row);
  return shown as ShownAttempt;
}

/** What `withPlace` reads and does not show. */
const hiddenColumns: ReadonlySet<string> = new Set([
  'output_directory',
  'worker_id',
  'stdio',
  'has_series',
  'log_slot',
]);

function seriesOf({ output_directory, has_series, job_key, run_id, attempt_id }: StoredAttempt): string | null {
  if (output_directory === null || has_series !== true) return null;
  return timeSeriesPath(output_directory, { jobKey: job_key, runId: run_id, attemptId: attempt_id });
}

/** What the place follows from. */
export type NamedPlace = Pick<
  StoredAttempt,
  'job_key' | 'run_id' | 'attempt_id' | 'worker_id' | 'stdio' | 'log_kind' | 'log_slot'
>;

interface Place {
  kind: ShownKind;
  paths: { stdoutPath: string | null; stderrPath: string | null } | null;
}

/** Of an attempt whose worker had this output directory. */
export function placeOf(row: NamedPlace, output: string): Place {
  const { log_kind: kind, job_key, run_id, attempt_id } = row;
  const workerId = row.worker_id ?? '';
  const stated = stdioOutputs.find((output) => output === kind && output !== 'combined');
  const { output: mode } = stdioParts(stated ?? row.stdio ?? 'files');
  if (kind === 'empty' || kind === 'removed' || kind === 'pruned') return { kind, paths: null };
  if (kind === 'combined') {
    const path = combinedLogPath(output, workerId);
    return { kind, paths: { stdoutPath: path, stderrPath: path } };
  }
  if (mode === 'none') return { kind: 'none', paths: null };
  if (mode !== 'combined') {
    const { stdoutPath, stderrPath } = jobStdioPaths(output, { jobKey: job_key, runId: run_id, attemptId: attempt_id });
    const paths = {
      stdoutPath: mode === 'no-stdout' ? null : stdoutPath,
      stderrPath: mode === 'no-stderr' || mode === 'per-job' ? null : stderrPath,
    };
    return { kind: 'files', paths };
  }
  if (row.log_slot === null) return { kind: 'unknown', paths: null };
  return { kind: kind === 'slot' ? 'files' : 'slot', paths: slotPaths(output, workerId, row.log_slot) };
}
