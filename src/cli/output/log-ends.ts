/** The ends of the outputs of many jobs: only the last bytes are read. */
import { type Api, type JobOutputs, limits, type Request } from '../../api/contract.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { readEnd } from '../../base/trusted/shared-async.ts';
import { AttemptLog, isAbsence, type Stream } from './attempt-log.ts';

/**
 * Where files are in memory or on a local disk, reading one after the other takes a sixth of the processor time. A file
 * system that is slower than this for each job is asked for several files at the same time.
 */
const slowMs = 0.5;
/** The first reads may be slow. */
const firstMs = 50;
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

/**
 * The ends of these outputs in their order, at most `mostBytes` of each stream. `skipsStdout`: whether stdout is of no
 * interest, by what stderr says.
 */
export async function readEnds(
  jobs: readonly JobOutputs[],
  mostBytes: number,
  skipsStdout: (stderr: string) => boolean = () => false,
): Promise<LogEnds[]> {
  const found: LogEnds[] = [];
  let next = 0;
  const readNext = async (end: ReadEnd): Promise<void> => {
    const at = next++;
    found[at] = await readOne(jobs[at] as JobOutputs, (log, stream) => end(log, stream, mostBytes), skipsStdout);
  };
  const begin = performance.now();
  while (next < jobs.length && performance.now() - begin < firstMs + next * slowMs) await readNext(endNow);
  const work = async (): Promise<void> => {
    while (next < jobs.length) await readNext(endLater);
  };
  await Promise.all(Array.from({ length: concurrentReads }, work));
  return found;
}

/** The end of one stream; null when its file is not there. */
type ReadEnd = (log: AttemptLog, stream: Stream, mostBytes: number) => Promise<Buffer | null>;

async function readOne(
  shown: JobOutputs,
  end: (log: AttemptLog, stream: Stream) => Promise<Buffer | null>,
  skipsStdout: (stderr: string) => boolean,
): Promise<LogEnds> {
  const nothing = { shown, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const attempt = shown.attempts.at(-1);
  if (attempt === undefined) return { ...nothing, unread: 'it has not started' };
  const log = new AttemptLog(shown, attempt, async () => shown);
  if (log.whyNothing !== null) return { ...nothing, unread: log.whyNothing };
  try {
    const stderr = await end(log, 'stderr');
    const skips = stderr !== null && skipsStdout(stderr.toString('utf8'));
    const stdout = skips ? nothing.stdout : await end(log, 'stdout');
    const unread = stdout === null && stderr === null ? log.missing('stderr').replace(/^no stderr: /, '') : null;
    return { shown, stdout: stdout ?? nothing.stdout, stderr: stderr ?? nothing.stderr, unread };
  } catch (error) {
    if (!(error instanceof TorcError)) throw error;
    return { ...nothing, unread: error.message };
  }
}

const endNow: ReadEnd = (log, stream, mostBytes) => log.readTail(stream, mostBytes);

const endLater: ReadEnd = async (log, stream, mostBytes) => {
  const { log_kind: kind, [`${stream}_path` as const]: path } = log.attempt;
  // a part of a combined log is unpacked as a whole
  if (kind === 'empty' || kind === 'combined') return await endNow(log, stream, mostBytes);
  if (typeof path !== 'string') return null;
  try {
    return await readEnd(path, mostBytes);
  } catch (error) {
    if (isAbsence(error)) return null;
    throw new TorcError('not_found', `cannot read ${path}: ${systemCode(error)}`, null, { cause: error });
  }
};
