/** `torc logs`: what jobs wrote, once or as it grows. */
import type { JobOutputs } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { jobsToRead } from '../input/chosen-jobs.ts';
import { AttemptLog } from '../output/attempt-log.ts';
import type { Stream } from '../output/attempt-output.ts';
import { chosenAttempt, type LogsOptions, needsAll, pieceBytes, readOutputs } from '../output/job-outputs.ts';
import { type JobPrinter, NamedPrinter, nameWidth, PlainPrinter } from '../output/job-printers.ts';
import { cellText } from '../output/table.ts';

const mostJsonBytes = 1024 * 1024;

/** Prints what these jobs wrote: each a key, a name or a pattern. */
export async function showLogs(context: Context, words: readonly string[], options: LogsOptions): Promise<void> {
  if (options.follow === true && context.format === 'json') {
    throw new TorcError('usage', '--follow cannot be combined with -F json', 'Leave out one of them.');
  }
  const chosen = await withConnection(context, ({ api }) => jobsToRead(context, api, words));
  const { keys, isSingle } = chosen;
  const asked = (['stdout', 'stderr'] as const).filter((stream) => options[stream] === true);
  const streams: readonly Stream[] = asked.length === 0 ? ['stdout', 'stderr'] : asked;
  if (options.follow === true) {
    const { followLogs } = await import('./logs-follow.ts');
    return await followLogs(context, chosen, streams, options);
  }
  const jobs = await withConnection(context, ({ api }) => readOutputs(api, keys, needsAll(options)));
  if (context.format === 'json') return await printJson(context, jobs, isSingle, streams, options);
  const [only] = jobs;
  if (isSingle && only !== undefined) await printOne(context, only, new PlainPrinter(context), streams, options);
  else await printMany(context, jobs, streams, options);
}

/** Reads one job again. */
function again(context: Context, { job }: JobOutputs, options: LogsOptions): () => Promise<JobOutputs> {
  // one connection per refresh: the serving process may end with the job, and no other command is locked out
  return async () => {
    const [same] = await withConnection(context, ({ api }) => readOutputs(api, [job.job_key], needsAll(options)));
    if (same === undefined) throw new TorcError('not_found', `there is no job ${job.job_key}`);
    return same;
  };
}

function logOf(context: Context, shown: JobOutputs, options: LogsOptions): AttemptLog {
  const chosen = chosenAttempt(shown, options);
  if (chosen !== null) return new AttemptLog(shown, chosen, again(context, shown, options));
  const { run, attempt } = options;
  const which = [run === undefined ? '' : ` in run ${run}`, attempt === undefined ? '' : ` as attempt ${attempt}`];
  throw new TorcError(
    'not_found',
    `job ${shown.job.job_key} (${cellText(shown.job.name)}) has not started${which.join('')}`,
    `${context.torc} jobs show ${shown.job.job_key}`,
  );
}

/** Goes on when one of them has nothing to show; throws TorcError 'not_found' when none has. */
async function printMany(
  context: Context,
  jobs: readonly JobOutputs[],
  streams: readonly Stream[],
  options: LogsOptions,
): Promise<void> {
  const width = nameWidth(jobs.map(({ job }) => job.name));
  let numFound = 0;
  for (const shown of jobs) {
    const printer = new NamedPrinter(context, shown.job.name, width);
    try {
      if (!(await printOne(context, shown, printer, streams, options))) return;
      numFound += 1;
    } catch (error) {
      if (!(error instanceof TorcError) || error.code !== 'not_found') throw error;
      printer.say(error.message);
    }
  }
  if (numFound > 0) return;
  throw new TorcError('not_found', 'none of these jobs has output here', `${context.torc} jobs list`);
}

/** False when the reader of stdout is gone. */
async function printOne(
  context: Context,
  shown: JobOutputs,
  printer: JobPrinter,
  streams: readonly Stream[],
  options: LogsOptions,
): Promise<boolean> {
  const log = logOf(context, shown, options);
  refuseNothing(log);
  const missing: string[] = [];
  let hasWritten = false;
  for (const stream of streams) {
    let offset: number | null = options.tail === undefined ? 0 : await log.tailOffset(stream, options.tail);
    do {
      offset = await printMore(log, printer, stream, offset);
      if (offset === null) return false;
    } while (await log.hasMoved());
    await printer.end(stream);
    const first = log.readOnce(stream, 0, 1);
    if (first === null) {
      missing.push(log.missing(stream));
      continue;
    }
    hasWritten ||= first.length > 0;
    if (!log.isEmpty) printer.head(log, stream);
  }
  if (!hasWritten && missing.length === 0) printer.say(wroteNothing(log, streams));
  for (const text of missing) printer.say(text);
  if (missing.length < streams.length) return true;
  refuseNothing(log);
  throw new TorcError(
    'not_found',
    `the output of job ${log.attempt.job_key} is not on this host`,
    'Look on the host that wrote it.',
  );
}

function wroteNothing({ hasEnded }: AttemptLog, streams: readonly Stream[]): string {
  const where = streams.length === 1 ? ` to ${streams[0]}` : '';
  return hasEnded ? `the job wrote nothing${where}` : `the job has written nothing yet${where}`;
}

function refuseNothing({ whyNothing }: AttemptLog): void {
  if (whyNothing !== null) throw new TorcError('not_found', whyNothing);
}

/** Prints a stream from `offset` on; returns the offset after it, null when the reader of stdout is gone. */
async function printMore(log: AttemptLog, printer: JobPrinter, stream: Stream, offset: number): Promise<number | null> {
  for (let at = offset; ; ) {
    const piece = await log.read(stream, at, pieceBytes);
    if (piece === null || piece.length === 0) return at;
    at += piece.length;
    if (!(await printer.write(log, stream, piece))) return null;
  }
}

/** One job as an object, several as a list. */
async function printJson(
  context: Context,
  jobs: readonly JobOutputs[],
  isSingle: boolean,
  streams: readonly Stream[],
  options: LogsOptions,
): Promise<void> {
  const [only] = jobs;
  if (isSingle && only !== undefined) {
    const value = await jsonOf(logOf(context, only, options), streams, options);
    await context.terminal.out(`${JSON.stringify(value)}\n`);
    return;
  }
  let before = '{"logs":[';
  for (const shown of jobs) {
    if (chosenAttempt(shown, options) === null) continue;
    const value = await jsonOf(logOf(context, shown, options), streams, options);
    const { job_key, ...rest } = value;
    await context.terminal.out(`${before}${JSON.stringify({ job_key, job_name: shown.job.name, ...rest })}`);
    before = ',\n';
  }
  await context.terminal.out(before === ',\n' ? ']}\n' : `${before}]}\n`);
}

async function jsonOf(
  log: AttemptLog,
  streams: readonly Stream[],
  { tail }: LogsOptions,
): Promise<Record<string, unknown>> {
  const text = async (stream: Stream): Promise<string | null> => {
    if (!streams.includes(stream)) return null;
    if (tail === undefined) return (await log.readTail(stream, mostJsonBytes))?.toString('utf8') ?? null;
    const piece = await log.read(stream, await log.tailOffset(stream, tail), mostJsonBytes);
    return piece?.toString('utf8') ?? null;
  };
  const [stdout, stderr] = [await text('stdout'), await text('stderr')];
  const { job_key, run_id, attempt_id, log_kind, stdout_path, stderr_path } = log.attempt;
  return { job_key, run_id, attempt_id, log_kind, stdout_path, stderr_path, stdout, stderr };
}
