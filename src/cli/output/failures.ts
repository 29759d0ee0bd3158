/** What failed in a workflow, grouped by how: the first jobs of each group with their command and last lines. */
import type { Api, FailureGroup, JobShown, ListRecord, StatusLine } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import { counted, shellWord, visible } from '../../base/text.ts';
import type { Context } from '../context/context.ts';
import { AttemptLog } from './attempt-log.ts';
import { fitWidth } from './width.ts';

/** A failed or lost job with its last attempt. */
export interface FailedJob {
  job_key: string;
  job_name: string;
  run_id: number | null;
  attempt_id: number | null;
  return_code: number | null;
  cause: string | null;
  detail: string | null;
  hostname: string | null;
  command: string;
  stderr_path: string | null;
  log_kind: string | null;
  /** The last lines of stderr, at most three; null when it cannot be read here, or was not kept. */
  stderr_tail: string[] | null;
}

export interface Failures {
  groups: readonly (FailureGroup & { shown: readonly FailedJob[] })[];
}

/** Jobs that are shown in all. */
const mostShown = { text: 5, csv: 5, json: 100 };
const tailLines = 3;
const tailBytes = 4096;

/** Reads the first jobs of each group; a group that comes later has its first job shown before the others of an earlier one. */
export async function readFailures(
  { format }: Pick<Context, 'format'>,
  api: Api,
  groups: readonly FailureGroup[],
  read: ReadFailed = readFailed,
): Promise<Failures> {
  const shares = shareOut(
    groups.map(({ first_job_keys }) => first_job_keys.length),
    mostShown[format],
  );
  return {
    groups: await Promise.all(
      groups.map(async (group, at) => {
        const keys = group.first_job_keys.slice(0, shares[at]);
        return { ...group, shown: await Promise.all(keys.map((key) => read(api, key))) };
      }),
    ),
  };
}

type ReadFailed = (api: Api, jobKey: string) => Promise<FailedJob>;

const knownForMs = 30_000;
const mostKnown = 500;

/** For those who look again and again: what a failed job has printed stays as it is until another run. */
export class FailedJobs {
  readonly #clock: Clock;
  readonly #known = new Map<string, { job: FailedJob; until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly of = ({ workflow_key, run_id }: Pick<StatusLine, 'workflow_key' | 'run_id'>): ReadFailed => {
    return async (api, jobKey) => {
      const id = `${workflow_key} ${run_id} ${jobKey}`;
      const known = this.#known.get(id);
      const now = this.#clock.monotonic();
      if (known !== undefined && now < known.until) return known.job;
      const job = await readFailed(api, jobKey);
      if (this.#known.size >= mostKnown) this.#known.clear();
      // what cannot be read yet, or has no end that was reported, may come
      if (job.stderr_tail !== null && job.return_code !== null) this.#known.set(id, { job, until: now + knownForMs });
      return job;
    };
  };
}

/** How many of each group are shown: one of each, then a second of each, until there are `most` in all. */
export function shareOut(sizes: readonly number[], most: number): number[] {
  const shares = sizes.map(() => 0);
  let left = most;
  for (let round = 1; left > 0 && shares.some((share, at) => share < (sizes[at] ?? 0)); round++) {
    for (const [at, size] of sizes.entries()) {
      if (left === 0 || size < round) continue;
      shares[at] = round;
      left -= 1;
    }
  }
  return shares;
}

export async function readFailed(api: Api, job_key: string): Promise<FailedJob> {
  const show = () => api.call('job_show', { job_key });
  const shown = await show();
  const { job, attempts, diagnosis } = shown;
  const last: ListRecord = attempts.at(-1) ?? {};
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  return {
    job_key,
    job_name: job.name,
    run_id: number(last.run_id),
    attempt_id: number(last.attempt_id),
    return_code: number(job.return_code),
    cause: text(job.cause),
    detail: text(last.detail) ?? diagnosis?.explanation ?? null,
    hostname: text(last.hostname),
    command: job.command,
    stderr_path: text(last.stderr_path),
    log_kind: text(last.log_kind),
    stderr_tail: await tailOf(shown, last, show),
  };
}

async function tailOf(shown: JobShown, attempt: ListRecord, show: () => Promise<JobShown>): Promise<string[] | null> {
  try {
    const log = new AttemptLog(shown, attempt, show);
    if (log.whyNothing !== null) return null;
    // one file may have both streams, or stderr may not be kept
    const bytes = await log.readTail(attempt.stderr_path === null ? 'stdout' : 'stderr', tailBytes);
    return bytes === null ? null : lastLines(bytes.toString('utf8'));
  } catch {
    // the failure is told without its output
    return null;
  }
}

/** The last lines that say something; of a line that was drawn over, what is left. */
export function lastLines(text: string): string[] {
  const lines = text.split('\n').map((line) => (line.replace(/\r+$/, '').split('\r').at(-1) ?? '').trimEnd());
  return lines.filter((line) => line !== '').slice(-tailLines);
}

/** How wide lines of other programs may be: in a pipe as wide as they are. */
export function failureColumns({ terminal }: Pick<Context, 'terminal'>): number {
  return terminal.isStdoutTerminal ? terminal.columns() : Number.POSITIVE_INFINITY;
}

/** The failed jobs for programs: in the order of their keys, lost ones first. */
export function failuresValue({ groups }: Failures): { failures: object[]; failed_jobs: FailedJob[] } {
  const byKey = (a: FailedJob, b: FailedJob): number => Number(a.job_key) - Number(b.job_key);
  const isLost = (group: FailureGroup): boolean => group.return_code === null && group.cause === null;
  const jobs = (lost: boolean) => groups.filter((group) => isLost(group) === lost).flatMap(({ shown }) => shown);
  return {
    failures: groups.map(({ cause, return_code, num_jobs }) => ({ cause, return_code, num_jobs })),
    failed_jobs: [...jobs(true).toSorted(byKey), ...jobs(false).toSorted(byKey)],
  };
}

/** A paragraph for each group, lines cut to `columns`; empty when nothing failed. */
export function failuresText(
  { torc }: Pick<Context, 'torc'>,
  workflowKey: string,
  { groups }: Failures,
  columns: number,
): string {
  const shown = groups.filter((group) => group.shown.length > 0);
  const others = groups.length - shown.length;
  const more = others === 0 ? '' : `\n.. and ${counted(others, 'other kind')} of failure\n`;
  return shown.map((group) => groupText(torc, workflowKey, group, columns)).join('') + more;
}

function groupText(torc: string, workflowKey: string, group: Failures['groups'][number], columns: number): string {
  const { num_jobs, shown } = group;
  const lines = [
    `${counted(num_jobs, 'job')} ${howText(group)}:`,
    ...shown.flatMap((job) => jobLines(torc, job, columns)),
    ...(num_jobs > shown.length
      ? [`  .. and ${num_jobs - shown.length} more: ${listCommand(torc, workflowKey, group)}`]
      : []),
  ];
  return `\n${lines.join('\n')}\n`;
}

function listCommand(torc: string, workflowKey: string, { cause, return_code }: FailureGroup): string {
  const list = `${torc} jobs list -k ${workflowKey}`;
  if (cause === null) return `${list} -f orphaned=true`;
  return `${list} --failed -f cause=${shellWord(cause)} -f return_code=${return_code}`;
}

export function howText({ cause, return_code }: Pick<FailureGroup, 'cause' | 'return_code'>): string {
  if (cause === null) return 'lost with their worker';
  if (cause === 'max_wait') return 'never started: ready for longer than max_wait';
  return `failed with return code ${return_code} (${cause})`;
}

function jobLines(torc: string, job: FailedJob, columns: number): string[] {
  const attempt = job.attempt_id !== null && job.attempt_id > 1 ? `, attempt ${job.attempt_id}` : '';
  const place = job.hostname === null ? '' : ` on ${visible(job.hostname)}`;
  const lines = [
    `  ${visible(job.job_name)} (job ${job.job_key})${attempt}${place}`,
    `    $ ${visible(firstLine(job.command))}`,
    ...(job.detail === null ? [] : [`    ${visible(job.detail)}`]),
    ...(job.stderr_tail ?? []).map((line) => `    | ${visible(line)}`),
  ];
  // what is meant to be pasted is never cut
  return [...lines.map((line) => fitWidth(line, columns)), ...stderrLine(torc, job)];
}

/** The file, or the command that prints it. */
function stderrLine(torc: string, { job_key, log_kind, stderr_path, stderr_tail }: FailedJob): string[] {
  if (log_kind === null || ['none', 'pruned', 'unknown'].includes(log_kind)) return [];
  if (log_kind === 'files' && stderr_path === null) return [`    output: ${torc} jobs logs ${job_key}`];
  const isEmpty = stderr_tail !== null && stderr_tail.length === 0;
  if (isEmpty) return [`    stderr is empty; stdout: ${torc} jobs logs ${job_key}`];
  return [`    stderr: ${log_kind === 'files' ? visible(stderr_path ?? '') : `${torc} jobs logs ${job_key} --stderr`}`];
}

function firstLine(command: string): string {
  const [first = '', ...rest] = command.trim().split('\n');
  return rest.length === 0 ? first : `${first} ..`;
}
