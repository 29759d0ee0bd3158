/** `torc workflows create|create-from-commands-file`: check, count, store. */

import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { countStages } from '../../model/graph/graph.ts';
import { argsProblem, argsText } from '../../model/identity.ts';
import type { SpecSyntax } from '../../model/spec/source.ts';
import { formatWalltime } from '../../slurm/script.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { noteMissingInputs } from '../documents/outside-inputs.ts';
import { type ReadWorkflow, readWorkflow } from '../documents/read-spec.ts';
import { checkStorable, createWorkflow, noteWithoutEffect } from '../documents/send-workflow.ts';
import { upstreamNames } from '../documents/upstream-names.ts';
import type { IdentityOptions, StdioOption } from '../input/options.ts';
import { noteOutlasting } from '../output/obstacles.ts';
import { printResult, textTable } from '../output/output.ts';
import { startProgress } from '../output/progress.ts';
import { cellText } from '../output/table.ts';

export interface CreateOptions extends StdioOption, IdentityOptions {
  dryRun?: boolean;
  showJobs?: boolean;
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
): Promise<void> {
  await createOrCount(context, withStated(await readWorkflow(context, spec, null, syntax), options), options);
}

export async function createFromCommandsFile(
  context: Context,
  file: string,
  options: CommandsFileOptions,
): Promise<void> {
  const { name, cpus, memory, runtime } = options;
  const needs = {
    ...(name === undefined ? {} : { name }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memory }),
    ...(runtime === undefined ? {} : { runtime }),
  };
  await createOrCount(context, withStated(await readWorkflow(context, file, needs), options), options);
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

async function createOrCount(
  context: Context,
  { workflow, user }: ReadWorkflow,
  options: CreateOptions,
): Promise<void> {
  noteWithoutEffect(context, workflow);
  noteMissingInputs(context, workflow);
  if (options.dryRun === true) return showCounts(context, workflow, options.showJobs === true);
  await checkStorable(workflow);
  const progress = startProgress(context);
  const store = async ({ api }: Connection) => {
    const stored = await createWorkflow(api, workflow, ownerOf(context, user), (stored) =>
      progress.update(`${stored} of ${workflow.numJobs} jobs stored`),
    ).finally(() => progress.clear());
    if (workflow.schedulers.length > 0) await noteOutlasting(context, api, stored.workflow_key);
    return stored;
  };
  const made = await withConnection(context, store, { creates: true });
  await printResult(context, { name: workflow.name, ...made }, () => {
    const what = `created workflow ${made.workflow_key} (${cellText(workflow.name)}) with ${counted(made.num_jobs, 'job')}`;
    return `${what}${schedulersText(workflow)}\n  start it:  ${context.torc} workflows start ${made.workflow_key}\n`;
  });
}

/** The walltime has a default, so it is shown. */
function schedulersText({ schedulers }: ExpandedWorkflow): string {
  const shown = schedulers.slice(0, shownSchedulers).map(({ name, walltimeSeconds }) => {
    return `\n  Slurm config ${cellText(name)}: walltime ${formatWalltime(walltimeSeconds)}`;
  });
  const left = schedulers.length - shown.length;
  return `${shown.join('')}${left > 0 ? `\n  and ${counted(left, 'more Slurm config')}` : ''}`;
}

/** `-U`, else the user in the specification, else the user who runs the command. */
export function ownerOf(context: Context, specUser: string | null): string {
  return context.userOption ?? specUser ?? context.user;
}

/** At most this many Slurm configs are shown. */
const shownSchedulers = 10;

/** At most this many upstream jobs are listed per job: two large groups have millions of edges. */
const shownUpstreams = 1000;

interface ShownJob {
  name: string;
  command: string;
  /** At most the first `shownUpstreams`. */
  depends_on: string[];
  num_depends_on: number;
  resource_requirements: string | null;
  input_files: string[];
  output_files: string[];
  input_user_data: string[];
  output_user_data: string[];
}

async function showCounts(context: Context, workflow: ExpandedWorkflow, isJobsShown: boolean): Promise<void> {
  const { numJobs, numBarriers, edges, files, userData } = workflow;
  const counts = {
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
  };
  const list = isJobsShown ? [...shownJobs(workflow)] : [];
  await printResult(context, isJobsShown ? { ...counts, job_list: list } : counts, () => {
    const rows = list.map((job) => ({ name: job.name, depends_on: inShort(job), command: job.command }));
    const table = isJobsShown ? textTable(context, ['name', 'depends_on', 'command'], rows) : '';
    const data = userData.length === 0 ? '' : ` and ${userData.length} user data`;
    const stages = `in ${counted(counts.stages, 'stage')}, ${counted(counts.files, 'file')}${data}`;
    return `${table}dry run: workflow ${cellText(workflow.name)} would be created with ${counted(numJobs, 'job')} ${stages}${schedulersText(workflow)}\n`;
  });
}

/** A long list in a table: its beginning and its length. */
function inShort({ depends_on: names, num_depends_on: count }: ShownJob): string {
  return count > 6 ? `${names.slice(0, 5).join(',')},.. (${count})` : names.join(',');
}

function* shownJobs(workflow: ExpandedWorkflow): Generator<ShownJob> {
  const upstreamsOf = upstreamNames(workflow);
  const namesIn = (list: readonly { name: string }[], indices: readonly number[]) =>
    indices.map((index) => list[index]?.name ?? '');
  let number = 0;
  for (const job of workflow.jobs) {
    const upstreams = upstreamsOf(number);
    yield {
      name: job.name,
      command: job.command,
      depends_on: upstreams.length > shownUpstreams ? upstreams.slice(0, shownUpstreams) : upstreams,
      num_depends_on: upstreams.length,
      resource_requirements: job.requirements === null ? null : (workflow.requirements[job.requirements]?.name ?? null),
      input_files: namesIn(workflow.files, job.inputFiles),
      output_files: namesIn(workflow.files, job.outputFiles),
      input_user_data: namesIn(workflow.userData, job.inputUserData),
      output_user_data: namesIn(workflow.userData, job.outputUserData),
    };
    number += 1;
  }
}
