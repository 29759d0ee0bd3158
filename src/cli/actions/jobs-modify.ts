/** `torc jobs modify`: changes the command, resources, priority or pool of jobs. */
import type { Api, ChangedField, Reply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { StdioMode } from '../../model/launch.ts';
import { isPattern } from '../../model/pattern.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { type AttributeOptions, attributeChanges } from '../input/attributes.ts';
import type { ResourceOptions } from '../input/changed-fields.ts';
import { changesTable, resourceChanges } from '../input/changed-fields.ts';
import { chooseJob, chosenJobKeys, isKey } from '../input/chosen-jobs.ts';
import { type EnvironmentOptions, environmentChanges } from '../input/environment.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { askAboutPattern } from '../plans/chosen-jobs.ts';

export interface ModifyJobOptions extends ResourceOptions, AttributeOptions, EnvironmentOptions {
  command?: string;
  invocationScript?: string;
  name?: string;
  priority?: number;
  cancelOnBlockingJobFailure?: boolean;
  supportsTermination?: boolean;
  taskFailureIsSuccess?: boolean;
  scheduler?: string;
  labels?: string[];
  limits?: string[];
  /** Empty: that of the workflow. */
  stdio?: StdioMode | '';
  cwd?: string;
  /** Jobs that a pattern chose change without a question. */
  yes?: boolean;
}

type Changes = Request<'jobs_modify'>['changes'];

export async function modifyJobs(context: Context, words: readonly string[], options: ModifyJobOptions): Promise<void> {
  const changes = jobChanges(context, options);
  if (Object.keys(changes).length === 0) {
    throw new TorcError('usage', 'no changes were given', `${context.torc} jobs modify --help`);
  }
  const dryRun = options.dryRun === true;
  await withConnection(context, async ({ api }) => {
    const chosen = await modifiedJobs(context, api, words, options);
    const [first = '', ...more] = chosen;
    if (more.length === 0) await modifyOne(context, api, first, changes, dryRun);
    else await modifyMany(context, api, chosen, changes, dryRun);
  });
}

async function modifiedJobs(
  context: Context,
  api: Api,
  words: readonly string[],
  { dryRun, yes }: ModifyJobOptions,
): Promise<string[]> {
  const distinct = [...new Set(words)];
  const [only = '', ...others] = distinct;
  if (others.length === 0 && !isPattern(only)) return [await chooseJob(context, api, only, 'changes')];
  if (distinct.every(isKey)) return distinct;
  const { workflowKey, keys, patterns } = await chosenJobKeys(context, api, distinct);
  if (patterns.length > 0 && dryRun !== true && yes !== true && !context.isNoPrompts) {
    await askAboutPattern(context, patterns, `change ${counted(keys.length, 'job')} of workflow ${workflowKey}`);
  }
  return keys;
}

/** In pieces when they are many. */
async function modifyMany(
  context: Context,
  api: Api,
  keys: readonly string[],
  changes: Changes,
  dry_run: boolean,
): Promise<void> {
  if (changes.name !== undefined) {
    throw new TorcError('usage', 'several jobs cannot share a name', 'Give --name with a single key.');
  }
  const all: Reply<'jobs_modify'> = { dry_run, jobs: [], running: [] };
  for (let at = 0; at < keys.length; at += limits.createChunk) {
    const job_keys = keys.slice(at, at + limits.createChunk);
    const { jobs, running } = await api.call('jobs_modify', { job_keys, dry_run, changes });
    for (const job of jobs) all.jobs.push(job);
    for (const key of running) all.running.push(key);
  }
  noteRunning(context, all.running);
  await printResult(context, all, () => jobChangesText(context, all));
}

/** At most this many changes are shown as text; JSON has all. */
const shownChanges = 100;
const shownRunning = 20;

export function noteRunning(context: Context, running: readonly string[]): void {
  if (running.length === 0) return;
  const named = running.slice(0, shownRunning).join(' ');
  const more = running.length > shownRunning ? ' ..' : '';
  const are = running.length === 1 ? 'is running and stays as it is' : 'are running and stay as they are';
  note(context, `${counted(running.length, 'job')} ${are}: ${named}${more}`, 'warning');
}

export function jobChangesText(context: Context, { dry_run, jobs }: Reply<'jobs_modify'>): string {
  if (jobs.length === 0) return 'nothing to change\n';
  const rows = jobs.flatMap(({ job_key, job_name, changes }) => {
    return changes.map((change): ChangedField & Record<string, unknown> => ({ job_key, job_name, ...change }));
  });
  const table = changesTable(context, rows.slice(0, shownChanges), ['job_key', 'job_name']);
  const more = rows.length > shownChanges ? `.. and ${rows.length - shownChanges} more\n` : '';
  const what = counted(jobs.length, 'job');
  return `${table}${more}${dry_run ? `dry run: ${what} would be changed` : `changed ${what}`}\n`;
}

async function modifyOne(
  context: Context,
  api: Api,
  job_key: string,
  changes: Changes,
  dry_run: boolean,
): Promise<void> {
  const request = { job_key, dry_run, changes };
  const reply = await api.call('job_modify', request);
  await printResult(context, reply, () => {
    const job = `job ${reply.job_key} (${cellText(reply.job_name)})`;
    if (reply.changes.length === 0) return `nothing to change: ${job} already has these values\n`;
    const what = reply.dry_run ? `dry run: ${job} would be changed` : `changed ${job}`;
    return `${changesTable(context, reply.changes)}${what}\n`;
  });
}

function jobChanges(context: Context, options: ModifyJobOptions): Changes {
  const { command, name, priority, invocationScript, cancelOnBlockingJobFailure, supportsTermination } = options;
  const { taskFailureIsSuccess, scheduler, labels, limits: names, stdio, cwd } = options;
  for (const [option, value] of Object.entries({ '--command': command, '--name': name })) {
    if (value?.trim() === '') throw new TorcError('usage', `${option} is empty`, 'Every job has a name and a command.');
  }
  return {
    ...(command === undefined ? {} : { command }),
    ...(name === undefined ? {} : { name }),
    ...(priority === undefined ? {} : { priority }),
    ...(invocationScript === undefined
      ? {}
      : { invocation_script: invocationScript.trim() === '' ? null : invocationScript }),
    ...(cancelOnBlockingJobFailure === undefined ? {} : { cancel_on_blocking_job_failure: cancelOnBlockingJobFailure }),
    ...(supportsTermination === undefined ? {} : { supports_termination: supportsTermination }),
    ...(taskFailureIsSuccess === undefined ? {} : { task_failure_is_success: taskFailureIsSuccess }),
    ...(scheduler === undefined ? {} : { scheduler: scheduler === '' ? null : scheduler }),
    ...(labels === undefined ? {} : { labels }),
    ...(names === undefined ? {} : { limits: names }),
    ...(stdio === undefined ? {} : { stdio: stdio === '' ? null : stdio }),
    ...(cwd === undefined ? {} : { cwd: cwd === '' ? null : cwd }),
    ...environmentChanges(context, options),
    ...resourceChanges(options),
    ...attributeChanges(options),
  };
}
