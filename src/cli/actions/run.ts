/** `torc run SPEC`: create, start, work, wait, summary. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { type MissingDataOption, refuseMissingInputs } from '../documents/outside-inputs.ts';
import { readWorkflow } from '../documents/read-spec.ts';
import { checkStorable, noteWithoutEffect } from '../documents/send-workflow.ts';
import type { AutoSizeOptions } from '../input/auto-size-options.ts';
import { startDirectory } from '../input/base-directory.ts';
import type { ResumeOptions } from '../input/options.ts';
import { chosenOutput, prepareOutputDirectory } from '../input/output-directory.ts';
import { printResult } from '../output/output.ts';
import { exitCodeOf, summaryFailures, summaryText, summaryValue } from '../output/summary.ts';
import { withAutoSize } from '../plans/auto-size.ts';
import { noteSharedOutputs } from '../plans/file-warnings.ts';
import type { WorkerCommandOptions } from '../workers/local-worker.ts';
import { runLocally } from './jobs-run.ts';
import { checkResume, noteResumed, planRecreated, type Recreated, resumeRecreated } from './resume.ts';
import { type StatedOptions, showCounts, storeWorkflow, withStated } from './workflows-create.ts';
import { printRestart, exitCodeOf as restartExitCode } from './workflows-restart.ts';

export interface RunOptions
  extends WorkerCommandOptions,
    StatedOptions,
    MissingDataOption,
    ResumeOptions,
    AutoSizeOptions {
  commands?: boolean;
  failFast?: boolean;
  maxFailures?: number;
  timeout?: number;
  /** In a dry run. */
  showJobs?: boolean;
}

/** This many jobs of a plan are shown unless all are asked for. */
export const shownInPlan = 20;

/** Seconds without a fitting job: as the only worker, this one has nothing to wait for. */
const waitForNewJobs = 0;

export async function runSpec(context: Context, spec: string, options: RunOptions): Promise<number> {
  const read = withStated(await readWorkflow(context, spec, options.commands === true ? {} : null), options);
  const limited = withLimits(read.workflow, options);
  checkResume(options, limited);
  refuseWithoutJobs(spec, limited);
  const workflow = await withAutoSize(context, limited, options);
  await checkStorable(workflow);
  if (options.resume !== true) refuseMissingInputs(workflow, options);
  noteWithoutEffect(context, workflow);
  const recreated = { spec, workflow };
  if (options.dryRun === true) return planRun(context, recreated, options);
  return runWorkflow(context, recreated, options);
}

/** Stores and starts a workflow, or resumes it, runs its jobs here and prints the summary; returns the exit code. */
export async function runWorkflow(context: Context, recreated: Recreated, options: RunOptions): Promise<number> {
  const output = chosenOutput(context, options.output);
  prepareOutputDirectory(context, output);
  return withConnection(
    context,
    async (connection) => {
      const { api } = connection;
      const workflow_key = await resumeOrStart(context, connection, recreated, { ...options, output });
      const directory = await startDirectory(context, await api.call('workflow_show', { workflow_key }));
      const run = { ...options, output, directory, waitForNewJobs };
      const { summary } = await runLocally(context, api, workflow_key, run);
      const failed = await summaryFailures(context, api, summary);
      await printResult(context, summaryValue(summary, failed), () => summaryText(context, summary, failed));
      return exitCodeOf(summary);
    },
    { creates: true, serves: true, runsActions: true },
  );
}

/** What would run, and what would change in a workflow that is there. */
async function planRun(context: Context, recreated: Recreated, options: RunOptions): Promise<number> {
  const resume = { ...options, command: 'run' };
  const planned = options.resume === true ? await planRecreated(context, recreated, resume) : null;
  if (planned !== null) {
    await printRestart(context, planned);
    return restartExitCode(planned.plan);
  }
  refuseMissingInputs(recreated.workflow, options);
  await showCounts(context, recreated.workflow, options.showJobs === true, shownInPlan);
  return 0;
}

/** The key of a workflow with a run to work on: one that goes on, or a new one. */
async function resumeOrStart(
  context: Context,
  connection: Connection,
  recreated: Recreated,
  options: RunOptions & { output: string },
): Promise<string> {
  const { workflow } = recreated;
  const { output, ignoreMissingData: ignore_missing_data = false } = options;
  if (options.resume === true) {
    const resumed = await resumeRecreated(context, connection, recreated, { ...options, command: 'run' });
    if (resumed !== null) {
      noteResumed(context, resumed);
      return resumed.plan.workflow_key;
    }
    refuseMissingInputs(workflow, options);
  }
  const place = { workingDirectory: process.cwd(), outputDirectory: output };
  const { workflow_key, num_jobs } = await storeWorkflow(context, connection, workflow, place);
  const started = await connection.api.call('workflow_start', { workflow_key, dry_run: false, ignore_missing_data });
  noteSharedOutputs(context, started);
  note(context, `workflow ${workflow_key}: ${counted(num_jobs, 'job')}, output in ${output}`);
  return workflow_key;
}

/** Options override the specification. */
function withLimits(workflow: ExpandedWorkflow, { failFast, maxFailures, timeout }: RunOptions): ExpandedWorkflow {
  if (failFast === true && maxFailures !== undefined && maxFailures > 1) {
    throw new TorcError('usage', '--fail-fast means --max-failures 1', 'Give only one of them.');
  }
  const most = failFast === true ? 1 : maxFailures;
  return {
    ...workflow,
    ...(most === undefined ? {} : { maxFailures: most }),
    ...(timeout === undefined ? {} : { timeoutMs: Math.max(1, Math.round(timeout * 1000)) }),
  };
}

/** A sweep that makes no job is a mistake, and not a success. */
export function refuseWithoutJobs(spec: string, { numJobs }: ExpandedWorkflow): void {
  if (numJobs > 0) return;
  const hint = 'Add jobs to it. torc workflows create stores a workflow that gets its jobs later.';
  throw new TorcError('invalid_spec', `${spec} has no jobs, so nothing would run`, hint);
}
