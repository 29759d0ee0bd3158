/** `torc workflows create|create-from-commands-file`: check, count, store. */

import type { Reply } from '../../api/contract.ts';
import type { ActionPlace } from '../../api/creation.ts';
import { TorcError } from '../../base/errors.ts';
import { counted, shellWord } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { countStages } from '../../model/graph/graph.ts';
import { argsProblem, argsText } from '../../model/identity.ts';
import { type Environment, shownEnvironment } from '../../model/launch.ts';
import { unfitJobs } from '../../model/plan/unfit.ts';
import type { SpecSyntax } from '../../model/spec/source.ts';
import { formatWalltime } from '../../slurm/script.ts';
import { needsServer, startOwnServer } from '../connection/action-server.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { noteMissingInputs } from '../documents/outside-inputs.ts';
import { type ReadWorkflow, readWorkflow } from '../documents/read-spec.ts';
import { checkStorable, createWorkflow, noteWithoutEffect } from '../documents/send-workflow.ts';
import { upstreamNames } from '../documents/upstream-names.ts';
import type { AutoSizeOptions } from '../input/auto-size-options.ts';
import { listPages } from '../input/list.ts';
import type { IdentityOptions, ResumeOptions, StdioOption } from '../input/options.ts';
import { storedSite } from '../input/site.ts';
import { cutTable, printResult } from '../output/output.ts';
import { notePools } from '../output/pool-notes.ts';
import { startProgress } from '../output/progress.ts';
import { cellText } from '../output/table.ts';
import { noteUnfitJobs } from '../output/unfit.ts';
import { sizeValue, withAutoSize } from '../plans/auto-size.ts';
import { checkResume, planRecreated, resumeRecreated } from './resume.ts';
import { exitCodeOf, printRestart } from './workflows-restart.ts';
import { startStored, startText } from './workflows-start-cancel-delete.ts';

export interface CreateOptions extends StatedOptions, ResumeOptions, AutoSizeOptions {
  showJobs?: boolean;
  start?: boolean;
}

export interface CommandsFileOptions extends CreateOptions {
  name?: string;
  cpus?: number;
  memory?: string;
  runtime?: string;
}

export async function createFromSpec(
  context: Context,
  spec: string,
  options: CreateOptions,
  syntax?: SpecSyntax,
): Promise<number> {
  return createOrCount(context, spec, withStated(await readWorkflow(context, spec, null, syntax), options), options);
}

export async function createFromCommandsFile(
  context: Context,
  file: string,
  options: CommandsFileOptions,
): Promise<number> {
  const { name, cpus, memory, runtime } = options;
  const needs = {
    ...(name === undefined ? {} : { name }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memory }),
    ...(runtime === undefined ? {} : { runtime }),
  };
  return createOrCount(context, file, withStated(await readWorkflow(context, file, needs), options), options);
}

export type StatedOptions = StdioOption & IdentityOptions;

/** Options override the specification. */
export function withStated(read: ReadWorkflow, { stdio, tool, args }: StatedOptions): ReadWorkflow {
  const problem = argsProblem(args);
  if (problem !== null) throw new TorcError('usage', `--args ${problem}`);
  if (tool === '') throw new TorcError('usage', '--tool is empty');
  const stated = {
    ...(stdio === undefined ? {} : { stdio }),
    ...(tool === undefined ? {} : { tool }),
    ...(args === undefined ? {} : { args: argsText(args) ?? args }),
  };
  return { ...read, workflow: { ...read.workflow, ...stated } };
}

/** The exit code: 7 when a resume finds nothing left to run. */
async function createOrCount(
  context: Context,
  spec: string,
  read: ReadWorkflow,
  options: CreateOptions,
): Promise<number> {
  checkResume(options, read.workflow);
  if (options.start === true && options.dryRun === true) {
    const hint = 'Give only one of them. torc run --dry-run shows what would run.';
    throw new TorcError('usage', '--start and --dry-run exclude each other', hint);
  }
  const { placeOf } = read;
  const workflow = await withAutoSize(context, read.workflow, options);
  noteWithoutEffect(context, workflow);
  noteMissingInputs(context, workflow);
  const recreated = { spec, workflow };
  const resume = { ...options, command: 'workflows create' };
  if (options.dryRun === true) {
    const planned = options.resume === true ? await planRecreated(context, recreated, resume) : null;
    if (planned === null) {
      const site = await withConnection(context, ({ api }) => storedSite(api), { leavesServer: true }).catch(
        () => null,
      );
      noteUnfitJobs(context, unfitJobs(workflow, site, true), site, { placeOf, workflowKey: null });
    }
    if (planned === null) await showCounts(context, workflow, options.showJobs === true);
    else await printRestart(context, planned);
    return planned === null ? 0 : exitCodeOf(planned.plan);
  }
  await checkStorable(workflow);
  const done = await withConnection(
    context,
    async (connection) => {
      const resumed = options.resume === true ? await resumeRecreated(context, connection, recreated, resume) : null;
      if (resumed === null) {
        const made = await storeWorkflow(context, connection, workflow);
        const site = await storedSite(connection.api);
        const workflowKey = made.workflow_key;
        // a start says it as well
        if (options.start !== true)
          noteUnfitJobs(context, unfitJobs(workflow, site, true), site, { placeOf, workflowKey });
        if (workflow.schedulers.length > 0) await notePools(context, connection.api, workflowKey, null);
        return { made, started: options.start === true ? await startMade(context, connection, workflowKey) : null };
      }
      const needs = await needsServer(connection, resumed.plan.workflow_key, false);
      return { resumed, needs };
    },
    { creates: true, serves: options.stopRunning === true },
  );
  if (done.resumed !== undefined) {
    await printRestart(context, done.resumed);
    if (done.needs) await startOwnServer(context);
    return exitCodeOf(done.resumed.plan);
  }
  const { made, started } = done;
  const value = { name: workflow.name, ...made, ...sizeValue(workflow), ...started?.value };
  await printResult(context, value, () => {
    const what = `created workflow ${made.workflow_key} (${cellText(workflow.name)}) with ${counted(made.num_jobs, 'job')}`;
    const next = started?.text ?? `  start it:  ${context.torc} workflows start ${made.workflow_key}\n`;
    return `${what}${schedulersText(workflow)}\n${next}`;
  });
  if (started?.value.starts_server === true) await startOwnServer(context);
  return 0;
}

/** What `--start` adds to what is printed. A program that follows the jobs needs no list of them: mostly their keys follow each other. */
async function startMade(context: Context, connection: Connection, workflowKey: string) {
  const { plan, startsServer, isAutoscaled } = await startStored(context, connection, workflowKey, {});
  const keyOf = async (reverseSort: boolean): Promise<unknown> => {
    const asked = { filter: [], excludeColumn: [], sortBy: 'job_key', reverseSort, limit: 1 };
    for await (const [job] of listPages(connection.api, 'jobs', workflowKey, asked)) return job?.job_key ?? null;
    return null;
  };
  const keys = { first_job_key: await keyOf(false), last_job_key: await keyOf(true) };
  const { run_id, num_ready, num_blocked } = plan;
  return {
    value: { run_id, num_ready, num_blocked, ...keys, starts_server: startsServer },
    text: startText(context, { plan, startsServer, isAutoscaled }),
  };
}

/** Stores a workflow and shows the progress. */
export async function storeWorkflow(
  context: Context,
  { api }: Pick<Connection, 'api'>,
  workflow: ExpandedWorkflow,
  place?: ActionPlace,
): Promise<Reply<'workflow_create_finish'>> {
  const progress = startProgress(context);
  const show = (count: number) => progress.update(`${count} of ${workflow.numJobs} jobs stored`);
  return createWorkflow(api, workflow, show, place).finally(() => progress.clear());
}

/** The walltime has a default, so it is shown. */
function schedulersText({ schedulers }: ExpandedWorkflow): string {
  const shown = schedulers.slice(0, shownSchedulers).map(({ name, walltimeSeconds }) => {
    return `\n  Slurm config ${cellText(name)}: walltime ${formatWalltime(walltimeSeconds)}`;
  });
  const left = schedulers.length - shown.length;
  return `${shown.join('')}${left > 0 ? `\n  and ${counted(left, 'more Slurm config')}` : ''}`;
}

/** At most this many Slurm configs are shown. */
const shownSchedulers = 10;

/** At most this many upstream jobs are listed per job: two large groups have millions of edges. */
const shownUpstreams = 1000;

interface ShownJob {
  name: string;
  command: string;
  /** Its own variables, without the values of secrets. */
  env: Environment;
  /** At most the first `shownUpstreams`. */
  depends_on: string[];
  num_depends_on: number;
  resource_requirements: string | null;
  input_files: string[];
  output_files: string[];
  input_user_data: string[];
  output_user_data: string[];
}

/** What would be created, as numbers for programs and as a sentence. */
export function countsOf(workflow: ExpandedWorkflow): { value: object; text: string } {
  const { numJobs, numBarriers, edges, files, userData } = workflow;
  const value = {
    dry_run: true,
    name: workflow.name,
    jobs: numJobs,
    files: files.length,
    user_data: userData.length,
    actions: workflow.actions.length,
    schedulers: workflow.schedulers.length,
    stages: countStages(numJobs, numBarriers, edges),
    barriers: numBarriers,
    edges: edges.length,
    resource_requirements: workflow.requirements.length,
    failure_handlers: workflow.failureHandlers.length,
    ...sizeValue(workflow),
  };
  const data = userData.length === 0 ? '' : ` and ${userData.length} user data`;
  const stages = `in ${counted(value.stages, 'stage')}, ${counted(value.files, 'file')}${data}`;
  const what = `dry run: workflow ${cellText(workflow.name)} would be created with ${counted(numJobs, 'job')} ${stages}`;
  return { value, text: `${what}${schedulersText(workflow)}\n` };
}

/** Prints what would be created, and its jobs: all, or in text only the first `mostShown`; then `further`. */
export async function showCounts(
  context: Context,
  workflow: ExpandedWorkflow,
  isJobsShown: boolean,
  mostShown = 0,
  further = '',
): Promise<void> {
  const { value, text } = countsOf(workflow);
  if (isJobsShown && context.format === 'json') {
    await printResult(context, { ...value, job_list: [...shownJobs(workflow, workflow.numJobs)] }, () => '');
    return;
  }
  const number = isJobsShown ? workflow.numJobs : Math.min(mostShown, workflow.numJobs);
  await printResult(context, value, () => {
    const rows = [...shownJobs(workflow, number)].map((job) => {
      return { ...job, depends_on: inShort(job), env: assignments(job.env) };
    });
    const columns = [
      'name',
      ...(workflow.edges.length === 0 ? [] : ['depends_on']),
      ...(rows.some(({ env }) => env !== '') ? ['env'] : []),
      'command',
    ];
    const table = number === 0 ? '' : cutTable(context, columns, rows);
    const left = workflow.numJobs - number;
    const more = number === 0 || left === 0 ? '' : `.. and ${left} more (--show-jobs shows all)\n`;
    return `${table}${more}${text}${further}`;
  });
}

function assignments(env: Environment): string {
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`);
  return pairs.join(' ');
}

/** A long list in a table: its beginning and its length. */
function inShort({ depends_on: names, num_depends_on: count }: ShownJob): string {
  return count > 6 ? `${names.slice(0, 5).join(',')},.. (${count})` : names.join(',');
}

/** The first jobs. */
function* shownJobs(workflow: ExpandedWorkflow, most: number): Generator<ShownJob> {
  if (most === 0) return;
  const upstreamsOf = upstreamNames(workflow);
  const namesIn = (list: readonly { name: string }[], indices: readonly number[]) =>
    indices.map((index) => list[index]?.name ?? '');
  let number = 0;
  for (const job of workflow.jobs) {
    const upstreams = upstreamsOf(number);
    yield {
      name: job.name,
      command: job.command,
      env: shownEnvironment(job.launch?.env ?? {}),
      depends_on: upstreams.length > shownUpstreams ? upstreams.slice(0, shownUpstreams) : upstreams,
      num_depends_on: upstreams.length,
      resource_requirements: job.requirements === null ? null : (workflow.requirements[job.requirements]?.name ?? null),
      input_files: namesIn(workflow.files, job.inputFiles),
      output_files: namesIn(workflow.files, job.outputFiles),
      input_user_data: namesIn(workflow.userData, job.inputUserData),
      output_user_data: namesIn(workflow.userData, job.outputUserData),
    };
    number += 1;
    if (number >= most) return;
  }
}
