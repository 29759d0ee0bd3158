/** `torc jobs logs`: what one attempt of a job wrote, byte for byte, once or as it grows. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { JobShown, ListRecord } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import type { LogsOptions } from '../commands/jobs-recovery.ts';
import type { Context } from '../context.ts';
import { cellText } from '../output-text.ts';
import { withConnection } from '../session.ts';
import { checkedKey } from '../workflow-key.ts';

const pieceBytes = 256 * 1024;
const mostJsonBytes = 1024 * 1024;
const growEveryMs = 250;
const lookEveryMs = 1000;

type Stream = 'stdout' | 'stderr';

interface Log {
  stream: Stream;
  path: string;
  /** How much of it is printed. */
  offset: number;
}

export async function showLogs(context: Context, key: string, options: LogsOptions): Promise<void> {
  const jobKey = checkedKey(key, 'key of a job');
  if (options.follow === true && context.format === 'json') {
    throw new TorcError('usage', 'JSON is one value and cannot be followed', 'Leave out --follow, or -F json.');
  }
  const shown = await withConnection(context, ({ api }) => api.call('job_show', { job_key: jobKey }));
  const attempt = chosenAttempt(context, shown, options);
  const logs = logsOf(attempt, options);
  if (context.format === 'json') await printJson(context, attempt, logs);
  else if (options.follow === true) await follow(context, attempt, logs);
  else await printOnce(context, attempt, logs);
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
    `job ${job.job_key} (${cellText(job.name)}) was not begun${which.join('')}`,
    `${context.torc} jobs show ${job.job_key}`,
  );
}

function logsOf(attempt: ListRecord, options: LogsOptions): Log[] {
  const streams: Stream[] = ['stdout', 'stderr'];
  const asked = streams.filter((stream) => options[stream] === true);
  return (asked.length === 0 ? streams : asked).map((stream) => {
    const path = attempt[`${stream}_path`];
    if (typeof path === 'string') return { stream, path, offset: 0 };
    throw new TorcError('not_found', 'the worker of this attempt did not say where it puts output');
  });
}

async function printOnce(context: Context, attempt: ListRecord, logs: readonly Log[]): Promise<void> {
  let numFound = 0;
  for (const log of logs) {
    const file = openLog(log);
    if (file === null) {
      context.terminal.err(`${missing(log, attempt)}\n`);
      continue;
    }
    numFound += 1;
    context.terminal.err(`${heading(log)}\n`);
    const hasReader = await printRest(context, log, file);
    closeSync(file);
    if (!hasReader) return;
  }
  if (numFound > 0) return;
  throw new TorcError(
    'not_found',
    `there is no output of job ${attempt.job_key} here`,
    'Look on the host named above.',
  );
}

function heading(log: Log): string {
  return `==> ${cellText(log.path)} <==`;
}

function missing(log: Log, attempt: ListRecord): string {
  return `no ${log.stream}: ${cellText(log.path)} is not here; it was written on ${cellText(attempt.hostname)}`;
}

/** Null when it is not there, or not yet. */
function openLog(log: Log): number | null {
  try {
    return openSync(log.path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null;
    throw new TorcError('not_found', `cannot read ${log.path}: ${systemCode(error)}`, null, { cause: error });
  }
}

/** Prints what the file has beyond what is printed; false when nobody reads any more. */
async function printRest(context: Context, log: Log, file: number): Promise<boolean> {
  const piece = Buffer.alloc(pieceBytes);
  for (;;) {
    const read = readSync(file, piece, 0, pieceBytes, log.offset);
    if (read === 0) return true;
    log.offset += read;
    if (!(await context.terminal.out(piece.subarray(0, read)))) return false;
  }
}

/** Prints as the files grow; looks at their ends once more when the attempt has ended. */
async function follow(context: Context, attempt: ListRecord, logs: readonly Log[]): Promise<void> {
  let headed: Log | null = null;
  let lookAt = context.clock.monotonic();
  for (let hasEnded = false; ; await delay(context.clock, growEveryMs)) {
    if (!hasEnded && context.clock.monotonic() >= lookAt) {
      hasEnded = await hasAttemptEnded(context, attempt);
      lookAt = context.clock.monotonic() + lookEveryMs;
    }
    for (const log of logs) {
      const file = openLog(log);
      if (file === null) {
        if (hasEnded) context.terminal.err(`${missing(log, attempt)}\n`);
        continue;
      }
      try {
        if (headed !== log && fstatSync(file).size > log.offset) {
          context.terminal.err(`${heading(log)}\n`);
          headed = log;
        }
        if (!(await printRest(context, log, file))) return;
      } finally {
        closeSync(file);
      }
    }
    if (hasEnded) return;
  }
}

/** Looks with a connection of its own: the process that serves may end with the job, and nobody else is kept out. */
function hasAttemptEnded(context: Context, attempt: ListRecord): Promise<boolean> {
  return withConnection(context, async ({ api }) => {
    const { records } = await api.call('list', {
      list: 'jobs',
      workflow_key: null,
      filters: [{ column: 'job_key', value: String(attempt.job_key) }],
      sort_by: null,
      reverse: false,
      limit: 1,
      skip: 0,
    });
    const [job] = records;
    const isNewest = job?.run_id === attempt.run_id && job?.attempt_id === attempt.attempt_id;
    const isClaimed = job?.status === 'submitted' || job?.status === 'submitted_pending';
    return !(isNewest && isClaimed && job?.orphaned === false);
  });
}

async function printJson(context: Context, attempt: ListRecord, logs: readonly Log[]): Promise<void> {
  const text = (stream: Stream): string | null => {
    const log = logs.find((each) => each.stream === stream);
    return log === undefined ? null : tail(log);
  };
  const { job_key, run_id, attempt_id, stdout_path, stderr_path } = attempt;
  const value = {
    job_key,
    run_id,
    attempt_id,
    stdout_path,
    stderr_path,
    stdout: text('stdout'),
    stderr: text('stderr'),
  };
  await context.terminal.out(`${JSON.stringify(value)}\n`);
}

/** The end of a file as text, or null when it is not there. */
function tail(log: Log): string | null {
  const file = openLog(log);
  if (file === null) return null;
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - mostJsonBytes);
    const bytes = Buffer.alloc(size - from);
    const read = readSync(file, bytes, 0, bytes.length, from);
    return bytes.subarray(0, read).toString('utf8');
  } finally {
    closeSync(file);
  }
}
