/** `torc run SPEC`: create, start, work, wait, summary. */
import { existsSync } from 'node:fs';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { type MissingDataOption, refuseMissingInputs } from '../documents/outside-inputs.ts';
import { readWorkflow } from '../documents/read-spec.ts';
import { checkStorable, createWorkflow, noteWithoutEffect } from '../documents/send-workflow.ts';
import { chosenOutput, prepareOutputDirectory } from '../input/output-directory.ts';
import { printResult } from '../output/output.ts';
import { startProgress } from '../output/progress.ts';
import { exitCodeOf, failedJobs, summaryText, summaryValue } from '../output/summary.ts';
import { noteSharedOutputs } from '../plans/file-warnings.ts';
import type { WorkerCommandOptions } from '../workers/local-worker.ts';
import { runLocally } from './jobs-run.ts';
import { ownerOf, type StatedOptions, withStated } from './workflows-create.ts';

export interface RunOptions extends WorkerCommandOptions, StatedOptions, MissingDataOption {
  commands?: boolean;
  failFast?: boolean;
  maxFailures?: number;
  timeout?: number;
}

/** Seconds without a fitting job: as the only worker, this one has nothing to wait for. */
const waitForNewJobs = 0;

export async function runSpec(context: Context, spec: string, options: RunOptions): Promise<number> {
  refuseKey(context, spec, 'jobs run');
  const read = withStated(await readWorkflow(context, spec, options.commands === true ? {} : null), options);
  const { user } = read;
  const workflow = withLimits(read.workflow, options);
  refuseWithoutJobs(spec, workflow);
  await checkStorable(workflow);
  refuseMissingInputs(workflow, options);
  noteWithoutEffect(context, workflow);
  const output = chosenOutput(context, options.output);
  prepareOutputDirectory(context, output);
  return withConnection(
    context,
    async ({ api }) => {
      const progress = startProgress(context);
      const { workflow_key, num_jobs } = await createWorkflow(
        api,
        workflow,
        ownerOf(context, user),
        (stored) => progress.update(`${stored} of ${workflow.numJobs} jobs stored`),
        { workingDirectory: process.cwd(), outputDirectory: output },
      );
      const { ignoreMissingData: ignore_missing_data = false } = options;
      const started = await api.call('workflow_start', { workflow_key, dry_run: false, ignore_missing_data });
      progress.clear();
      noteSharedOutputs(context, started);
      note(context, `workflow ${workflow_key}: ${counted(num_jobs, 'job')}, output in ${output}`);
      const { summary } = await runLocally(context, api, workflow_key, {
        ...options,
        output,
        directory: process.cwd(),
        waitForNewJobs,
      });
      const failed = await failedJobs(context, api, summary);
      await printResult(context, summaryValue(summary, failed), () => summaryText(context, summary, failed));
      return exitCodeOf(summary);
    },
    { creates: true, serves: true, runsActions: true },
  );
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

/** torc 0.12 takes the key of a stored workflow here; ours has another command for it. */
export function refuseKey(context: Context, spec: string, command: string): void {
  if (!/^[0-9]+$/.test(spec) || existsSync(spec)) return;
  const hint = `To use the stored workflow ${spec}: ${context.torc} ${command} ${spec}`;
  throw new TorcError('not_found', `there is no file ${spec}`, hint);
}
