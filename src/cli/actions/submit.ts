/** `torc submit SPEC`: creates and starts a workflow, and has allocations submitted for it. */
import type { Api, AutoscalerShown, Reply } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted, shellWord } from '../../base/text.ts';
import { defaultMaxNodes, problemOfMaximum } from '../../model/decide/autoscaling-maximum.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { unfitJobs } from '../../model/plan/unfit.ts';
import { needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { type MissingDataOption, refuseMissingInputs } from '../documents/outside-inputs.ts';
import { type ReadWorkflow, readWorkflow } from '../documents/read-spec.ts';
import { checkStorable, noteWithoutEffect } from '../documents/send-workflow.ts';
import type { AutoSizeOptions } from '../input/auto-size-options.ts';
import type { ResumeOptions } from '../input/options.ts';
import { chosenOutput } from '../input/output-directory.ts';
import { recoverySettings, setRecovery } from '../input/recovery-settings.ts';
import { siteIfKnown, siteOfDryRun } from '../input/site.ts';
import { namesAllocations, requireSbatch, type SubmissionOptions, withScheduler } from '../input/submission.ts';
import { settingsText } from '../output/autoscaler-text.ts';
import { printResult } from '../output/output.ts';
import { refuseUnfitJobs } from '../output/unfit.ts';
import { sizeValue, withAutoSize } from '../plans/auto-size.ts';
import { awaitSubmission } from '../workers/first-submission.ts';
import { checkResume, planRecreated, resumeRecreated } from './resume.ts';
import { refuseWithoutJobs } from './run.ts';
import {
  jobsText,
  leftBehind,
  plannedText,
  submitStarted,
  submittedText,
  submittedValue,
} from './submit-allocations.ts';
import { countsOf, type StatedOptions, storeWorkflow, withStated } from './workflows-create.ts';
import { exitCodeOf, printRestart, type Restarted } from './workflows-restart.ts';
import { type Started, startStored } from './workflows-start-cancel-delete.ts';

export type SubmitOptions = StatedOptions &
  MissingDataOption &
  ResumeOptions &
  AutoSizeOptions &
  SubmissionOptions & {
    /** Without a question about planned allocations. */
    yes?: boolean;
    /** The workflow recovers by itself. */
    recover?: boolean;
    maxRecoveries?: number;
  };

/** The exit code: 7 when a resume finds nothing left to run. */
export async function submitSpec(context: Context, spec: string, options: SubmitOptions): Promise<number> {
  const { workflow: stated, placeOf } = withStated(await readWorkflow(context, spec, null), options);
  checkResume(options, stated);
  refuseWithoutJobs(spec, stated);
  checkAutoscale(options);
  const recovery = recoverySettings(options);
  if (recovery !== null && options.resume === true) {
    const hint = 'torc watch KEY --recover sets it for one that exists.';
    throw new TorcError('usage', '--recover is for a new workflow', hint);
  }
  const read = await withAutoSize(context, stated, options, () => typedSchedulers(context, spec, stated, options));
  const written = isToBePlanned(context, read, options) ? await withPlanned(context, spec, read, options) : read;
  const schedulesItself = requireNodes(context, spec, written, options);
  const workflow = namesAllocations(options) ? withScheduler(context, spec, written, options) : written;
  checkMaximum(workflow, options);
  await checkStorable(workflow);
  noteWithoutEffect(context, workflow);
  const recreated = { spec, workflow };
  const resume = { ...options, command: 'submit' };
  if (options.dryRun === true) {
    const planned = options.resume === true ? await planRecreated(context, recreated, resume) : null;
    if (planned !== null) return printed(context, planned);
    refuseMissingInputs(workflow, options);
    await refuseUnfit(context, null, { workflow, placeOf }, options);
    await showSubmission(context, workflow, schedulesItself, options);
    return 0;
  }
  if (options.resume !== true) refuseMissingInputs(workflow, options);
  if (!schedulesItself || options.autoscale === true) requireSbatch(context);
  const done = await withConnection(
    context,
    async (connection) => {
      const resumed = options.resume === true ? await resumeRecreated(context, connection, recreated, resume) : null;
      if (resumed !== null) {
        return { resumed, needs: await needsServer(connection, resumed.plan.workflow_key, false) };
      }
      refuseMissingInputs(workflow, options);
      await refuseUnfit(context, connection.api, { workflow, placeOf }, options);
      const place = { workingDirectory: process.cwd(), outputDirectory: chosenOutput(context, options.output) };
      const { workflow_key } = await storeWorkflow(context, connection, workflow, place);
      if (recovery !== null) await setRecovery(context, connection.api, workflow_key, recovery);
      const autoscaler = options.autoscale === true ? await setUp(connection.api, workflow_key, place, options) : null;
      const { ignoreMissingData = false } = options;
      return { started: await startStored(context, connection, workflow_key, { ignoreMissingData }), autoscaler };
    },
    { creates: true, leavesServer: true, serves: options.stopRunning === true },
  );
  if (done.resumed !== undefined) {
    if (done.needs) await startOwnServer(context);
    return printed(context, done.resumed);
  }
  const { started, autoscaler } = done;
  if (autoscaler != null) await byAutoscaling(context, workflow, started, autoscaler, options);
  else if (schedulesItself) await bySubmittingActions(context, workflow, started, options);
  else {
    const { value, text } = await submitStarted(context, started.plan, workflow.name, options);
    await printResult(context, { ...value, ...sizeValue(workflow) }, () => text);
  }
  return 0;
}

/** The Slurm configs with what was typed: a walltime there is the most that a job can have. */
function typedSchedulers(
  context: Context,
  spec: string,
  workflow: ExpandedWorkflow,
  options: SubmitOptions,
): ExpandedWorkflow['schedulers'] {
  const isTyped = [options.partition, options.walltime].some((option) => option !== undefined);
  return isTyped ? withScheduler(context, spec, workflow, options).schedulers : workflow.schedulers;
}

function checkAutoscale({ autoscale, allocations, max, resume }: SubmitOptions): void {
  const wrong =
    autoscale !== true && max !== undefined
      ? '--max is for --autoscale'
      : autoscale === true && allocations !== undefined
        ? '--autoscale decides itself how many allocations there are; leave out -n'
        : autoscale === true && resume === true
          ? '--autoscale is for a new workflow; torc workflows autoscale sets it for one that exists'
          : null;
  if (wrong !== null) throw new TorcError('usage', wrong, 'See torc submit --help.');
}

/** The server would refuse it as well, but after the workflow was stored. */
function checkMaximum({ schedulers }: ExpandedWorkflow, { autoscale, max = defaultMaxNodes }: SubmitOptions): void {
  const sizes = schedulers.map(({ numNodes }) => numNodes);
  const problem = autoscale === true ? problemOfMaximum(sizes, max) : null;
  if (problem !== null) throw new TorcError('usage', problem, 'Give a larger --max.');
}

/** Throws TorcError 'usage' for jobs that no allocation can run: they would wait forever. Without `api` in a dry run. */
async function refuseUnfit(
  context: Context,
  api: Api | null,
  { workflow, placeOf }: ReadWorkflow,
  { autoscale = false, force = false }: SubmitOptions,
): Promise<void> {
  if (force || workflow.schedulers.length === 0) return;
  const site = api === null ? await siteOfDryRun(context) : await siteIfKnown(context, api);
  refuseUnfitJobs(context, unfitJobs(workflow, site, autoscale), site, placeOf);
}

/** Sets the autoscaler of a workflow that has not started yet. */
async function setUp(
  api: Api,
  workflowKey: string,
  { outputDirectory }: { outputDirectory: string },
  { max, maxParallelJobs }: SubmitOptions,
): Promise<Reply<'workflow_autoscale'>['autoscaler']> {
  const settings = {
    output_directory: outputDirectory,
    ...(max === undefined ? {} : { max_nodes: max }),
    ...(maxParallelJobs === undefined ? {} : { max_parallel_jobs: maxParallelJobs }),
  };
  const request = { workflow_key: workflowKey, dry_run: false, settings };
  return (await api.call('workflow_autoscale', request)).autoscaler;
}

/** Starts the server that asks for nodes, unless one runs. */
async function byAutoscaling(
  context: Context,
  workflow: ExpandedWorkflow,
  { plan, startsServer }: Started,
  autoscaler: AutoscalerShown,
  options: SubmitOptions,
): Promise<void> {
  if (startsServer) await startOwnServer(context);
  const { name } = workflow;
  const value = { starts_server: startsServer, slurm_job_ids: [], autoscaler, ...sizeValue(workflow) };
  const place = { outputDirectory: chosenOutput(context, options.output), scripts: false };
  const what = `the server asks for nodes: ${settingsText(autoscaler)}`;
  const text = () => submittedText(context, name, plan, what, place);
  await printResult(context, submittedValue(context, name, plan, value), text);
}

/** Whether nothing is said about allocations, neither by the specification nor on the command line. */
function isToBePlanned(context: Context, workflow: ExpandedWorkflow, options: SubmitOptions): boolean {
  if (namesAllocations(options) || workflow.schedulers.length > 0 || workflow.actions.some(isSubmission)) return false;
  return options.resume !== true && (options.yes === true || context.mayAsk);
}

async function withPlanned(context: Context, spec: string, workflow: ExpandedWorkflow, options: SubmitOptions) {
  if (options.dryRun !== true) requireSbatch(context);
  const { withPlannedNodes } = await import('./submit-planned.ts');
  return withPlannedNodes(context, spec, workflow, options);
}

/** Starts the server that carries out the actions, waits for the first of them, and says what they submitted. */
async function bySubmittingActions(
  context: Context,
  workflow: ExpandedWorkflow,
  { plan, startsServer }: Started,
  options: SubmitOptions,
): Promise<void> {
  const { workflow_key: key } = plan;
  const { name, actions } = workflow;
  if (startsServer) await startOwnServer(context);
  const hasSlurm = actions.some((action) => isSubmission(action) && action.schedulerType !== 'local');
  const ids = await awaitSubmission(context, key, plan.run_id).catch((error: unknown) => {
    throw leftBehind(context, key, 1, error);
  });
  const what =
    ids === null
      ? `not submitted yet: ${context.torc} actions list ${key}`
      : hasSlurm
        ? `submitted ${counted(ids.length, 'allocation')}: ${jobsText(ids)}`
        : 'started its workers on this host';
  const value = { starts_server: startsServer, slurm_job_ids: ids ?? [], ...sizeValue(workflow) };
  const place = { outputDirectory: chosenOutput(context, options.output), scripts: false };
  const text = () => submittedText(context, name, plan, what, place);
  await printResult(context, submittedValue(context, name, plan, value), text);
}

/** What would be submitted. */
async function showSubmission(
  context: Context,
  workflow: ExpandedWorkflow,
  schedulesItself: boolean,
  options: SubmitOptions,
): Promise<void> {
  const { value, text } = countsOf(workflow);
  const submissions = schedulesItself
    ? workflow.actions.filter(isSubmission).map(({ scheduler, numAllocations }) => ({ scheduler, numAllocations }))
    : options.autoscale === true
      ? []
      : [{ scheduler: 0, numAllocations: options.allocations ?? 1 }];
  const lines = submissions.map(({ scheduler, numAllocations }) => {
    return plannedText(workflow.schedulers[scheduler ?? -1] ?? null, numAllocations);
  });
  const allocations = submissions.reduce((sum, { numAllocations }) => sum + numAllocations, 0);
  if (options.autoscale === true) {
    const most = options.max ?? defaultMaxNodes;
    const line = `the server would ask for nodes while jobs wait: at most ${counted(most, 'node')}\n`;
    await printResult(context, { ...value, allocations, max_nodes: most }, () => `${text}${lines.join('')}${line}`);
    return;
  }
  await printResult(context, { ...value, allocations }, () => `${text}${lines.join('')}`);
}

function isSubmission({ triggerType, actionType }: ExpandedWorkflow['actions'][number]): boolean {
  return triggerType === 'on_workflow_start' && actionType === 'schedule_nodes';
}

async function printed(context: Context, restarted: Restarted): Promise<number> {
  await printRestart(context, restarted);
  return exitCodeOf(restarted.plan);
}

/** Whether actions of the workflow schedule nodes. Without nodes the jobs would wait forever: throws 'usage'. */
function requireNodes({ torc }: Context, spec: string, { actions }: ExpandedWorkflow, options: SubmitOptions): boolean {
  const schedulesItself = actions.some(isSubmission);
  if (schedulesItself && options.allocations !== undefined) {
    const hint = 'Leave out -n, or remove the action from the specification.';
    throw new TorcError('usage', `${spec} schedules its nodes itself (schedule_nodes on_workflow_start)`, hint);
  }
  if (schedulesItself || namesAllocations(options)) return schedulesItself;
  throw new TorcError(
    'usage',
    `${spec} has no action schedule_nodes that schedules nodes when the workflow starts`,
    `Say how many allocations: ${torc} submit ${shellWord(spec)} -n 1 -a ACCOUNT -t 1:00:00; or --yes to have them planned.`,
  );
}
