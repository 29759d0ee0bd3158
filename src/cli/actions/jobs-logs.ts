/** `torc jobs logs`: what one attempt of a job wrote, once or as it grows. */
import type { JobShown, ListRecord } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { checkedKey } from '../input/workflow-key.ts';
import { AttemptLog, type Stream } from '../output/attempt-log.ts';
import { LogOutput } from '../output/log-text.ts';
import { cellText } from '../output/table.ts';

export interface LogsOptions {
  stdout?: boolean;
  stderr?: boolean;
  follow?: boolean;
  attempt?: number;
  run?: number;
}

const pieceBytes = 1024 * 1024;
const mostJsonBytes = 1024 * 1024;
const growEveryMs = 250;
const lookEveryMs = 1000;

export async function showLogs(context: Context, key: string, options: LogsOptions): Promise<void> {
  const jobKey = checkedKey(key, 'key of a job');
  if (options.follow === true && context.format === 'json') {
    throw new TorcError('usage', '--follow cannot be combined with -F json', 'Leave out one of them.');
  }
  // one connection per refresh: the serving process may end with the job, and no other command is locked out
  const show = () => withConnection(context, ({ api }) => api.call('job_show', { job_key: jobKey }));
  const shown = await show();
  const log = new AttemptLog(shown, chosenAttempt(context, shown, options), show);
  const asked = (['stdout', 'stderr'] as const).filter((stream) => options[stream] === true);
  const streams: readonly Stream[] = asked.length === 0 ? ['stdout', 'stderr'] : asked;
  if (context.format === 'json') await printJson(context, log, streams);
  else if (options.follow === true) await follow(context, log, streams);
  else await printOnce(context, log, streams);
}

function chosenAttempt(context: Context, { job, attempts }: JobShown, options: LogsOptions): ListRecord {
  const { run, attempt } = options;
  const chosen = attempts
    .filter((each) => (run ?? each.run_id) === each.run_id && (attempt ?? each.attempt_id) === each.attempt_id)
    .at(-1);
  if (chosen !== undefined) return chosen;
  const which = [run === undefined ? '' : ` in run ${run}`, attempt === undefined ? '' : ` as attempt ${attempt}`];
  throw new TorcError(
    'not_found',
    `job ${job.job_key} (${cellText(job.name)}) has not started${which.join('')}`,
    `${context.torc} jobs show ${job.job_key}`,
  );
}

async function printOnce(context: Context, log: AttemptLog, streams: readonly Stream[]): Promise<void> {
  refuseNothing(log);
  const output = new LogOutput(context.terminal);
  let numFound = 0;
  for (const stream of streams) {
    let printed: Printed = { offset: 0, isMissing: false, isHeaded: false, hasNoReader: false };
    do {
      printed = await printMore(context, log, output, stream, printed);
      if (printed.hasNoReader) return;
    } while (await log.hasMoved());
    await output.end(stream);
    if (printed.isMissing) {
      context.terminal.err(`${log.missing(stream)}\n`);
      continue;
    }
    numFound += 1;
    if (!printed.isHeaded && !log.isEmpty) context.terminal.err(`${log.heading(stream)}\n`);
  }
  if (log.isEmpty) context.terminal.err('the job wrote nothing\n');
  if (numFound > 0) return;
  refuseNothing(log);
  throw new TorcError(
    'not_found',
    `the output of job ${log.attempt.job_key} is not on this host`,
    'Look on the host named above.',
  );
}

function refuseNothing({ whyNothing }: AttemptLog): void {
  if (whyNothing !== null) throw new TorcError('not_found', whyNothing);
}

/** How much of a stream is printed. */
interface Printed {
  offset: number;
  isMissing: boolean;
  /** The last heading printed is that of this stream. */
  isHeaded: boolean;
  /** The reader of stdout is gone. */
  hasNoReader: boolean;
}

/** Prints what was written since the last call. */
async function printMore(
  context: Context,
  log: AttemptLog,
  output: LogOutput,
  stream: Stream,
  printed: Printed,
): Promise<Printed> {
  let { offset, isHeaded } = printed;
  for (;;) {
    const piece = await log.read(stream, offset, pieceBytes);
    if (piece === null || piece.length === 0)
      return { offset, isHeaded, isMissing: piece === null, hasNoReader: false };
    if (!isHeaded) context.terminal.err(`${log.heading(stream)}\n`);
    isHeaded = true;
    offset += piece.length;
    if (!(await output.write(stream, piece))) return { offset, isHeaded, isMissing: false, hasNoReader: true };
  }
}

/** Prints output as it grows, and what is left once the attempt has ended. */
async function follow(context: Context, log: AttemptLog, streams: readonly Stream[]): Promise<void> {
  const output = new LogOutput(context.terminal);
  const offsets = { stdout: 0, stderr: 0 };
  let headed: Stream | null = null;
  let lookAt = context.clock.monotonic() + lookEveryMs;
  for (; ; await delay(context.clock, growEveryMs)) {
    if (context.clock.monotonic() >= lookAt) {
      await log.refresh();
      lookAt = context.clock.monotonic() + lookEveryMs;
    }
    const { hasEnded } = log;
    for (const stream of streams) {
      const offset = offsets[stream];
      const isHeaded = headed === stream;
      const before = { offset, isHeaded, isMissing: false, hasNoReader: false };
      const printed = await printMore(context, log, output, stream, before);
      if (printed.hasNoReader) return;
      if (printed.isHeaded) headed = stream;
      if (hasEnded) await output.end(stream);
      if (printed.isMissing && hasEnded) context.terminal.err(`${log.missing(stream)}\n`);
      offsets[stream] = printed.offset;
    }
    if (hasEnded) return;
  }
}

async function printJson(context: Context, log: AttemptLog, streams: readonly Stream[]): Promise<void> {
  const text = async (stream: Stream): Promise<string | null> => {
    if (!streams.includes(stream)) return null;
    return (await log.readTail(stream, mostJsonBytes))?.toString('utf8') ?? null;
  };
  const [stdout, stderr] = [await text('stdout'), await text('stderr')];
  const { job_key, run_id, attempt_id, log_kind, stdout_path, stderr_path } = log.attempt;
  const value = { job_key, run_id, attempt_id, log_kind, stdout_path, stderr_path, stdout, stderr };
  await context.terminal.out(`${JSON.stringify(value)}\n`);
}
