/** The ends of the outputs of many jobs: only the last bytes are read, of several files at a time. */
import { type Api, type JobOutputs, limits, type Request } from '../../api/contract.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { readEnd } from '../../base/trusted/shared-async.ts';
import { AttemptLog, type Stream } from './attempt-log.ts';

/** Reads that wait for the file system at the same time. */
const concurrentReads = 16;

/** The end of what the newest attempt of a job wrote. */
export interface LogEnds {
  shown: JobOutputs;
  stdout: Buffer;
  stderr: Buffer;
  /** Why there is nothing to read; null when it was read. */
  unread: string | null;
}

/** The failed jobs of a workflow, page by page, at most this many. */
export async function* failedOutputs(api: Api, workflow_key: string, most: number): AsyncGenerator<JobOutputs[]> {
  let after: string | null = null;
  for (let left = most; left > 0; ) {
    const limit = Math.min(left, limits.outputsPage);
    const request: Request<'jobs_outputs'> = { workflow_key, job_keys: null, all_attempts: false, after, limit };
    const { jobs, more } = await api.call('jobs_outputs', request);
    if (jobs.length > 0) yield jobs;
    left -= jobs.length;
    after = jobs.at(-1)?.job.job_key ?? null;
    if (!more || after === null) return;
  }
}

/** The ends of these outputs in their order, at most `mostBytes` of each stream. */
export async function readEnds(jobs: readonly JobOutputs[], mostBytes: number): Promise<LogEnds[]> {
  const found: LogEnds[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < jobs.length; at = next++) {
      const shown = jobs[at];
      if (shown !== undefined) found[at] = await readOne(shown, mostBytes);
    }
  };
  await Promise.all(Array.from({ length: concurrentReads }, work));
  return found;
}

async function readOne(shown: JobOutputs, mostBytes: number): Promise<LogEnds> {
  const nothing = { shown, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const attempt = shown.attempts.at(-1);
  if (attempt === undefined) return { ...nothing, unread: 'it has not started' };
  const log = new AttemptLog(shown, attempt, async () => shown);
  if (log.whyNothing !== null) return { ...nothing, unread: log.whyNothing };
  try {
    const [stdout, stderr] = [await endOf(log, 'stdout', mostBytes), await endOf(log, 'stderr', mostBytes)];
    const unread = stdout === null && stderr === null ? log.missing('stderr').replace(/^no stderr: /, '') : null;
    return { shown, stdout: stdout ?? nothing.stdout, stderr: stderr ?? nothing.stderr, unread };
  } catch (error) {
    if (!(error instanceof TorcError)) throw error;
    return { ...nothing, unread: error.message };
  }
}

/** Null when the file is not there. */
async function endOf(log: AttemptLog, stream: Stream, mostBytes: number): Promise<Buffer | null> {
  const { log_kind: kind, [`${stream}_path` as const]: path } = log.attempt;
  if (kind === 'empty') return Buffer.alloc(0);
  // a part of a combined log is unpacked as a whole
  if (kind === 'combined') return await log.readTail(stream, mostBytes);
  if (typeof path !== 'string') return null;
  try {
    return await readEnd(path, mostBytes);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new TorcError('not_found', `cannot read ${path}: ${code}`, null, { cause: error });
  }
}
