/** `torc exec`: commands as jobs of a workflow without a specification, here or in allocations. */

import { isInsideJob } from '../../base/config.ts';
import { TorcError } from '../../base/errors.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { readProgram } from '../documents/exec-script.ts';
import { execWorkflow } from '../documents/exec-workflow.ts';
import { checkStorable, noteWithoutEffect } from '../documents/send-workflow.ts';
import type { ExecOptions } from '../input/exec-options.ts';
import { chosenOutput } from '../input/output-directory.ts';
import { isOnPath } from '../input/programs.ts';
import { namesAllocations, requireSbatch, withScheduler } from '../input/submission.ts';
import { printResult } from '../output/output.ts';
import { sizeValue, withAutoSize } from '../plans/auto-size.ts';
import { awaitRun } from './await-run.ts';
import { runWorkflow, shownInPlan } from './run.ts';
import { plannedText, submitStarted } from './submit-allocations.ts';
import { showCounts, storeWorkflow } from './workflows-create.ts';
import { startStored } from './workflows-start-cancel-delete.ts';

export async function execCommands(
  context: Context,
  typedWords: readonly string[],
  typed: ExecOptions,
): Promise<number> {
  const program = typedWords.length === 0 ? { words: [], options: {} } : readProgram(context, typedWords);
  const options = { ...program.options, ...withoutAliases(typed) };
  const isHere = runsHere(context, typed);
  const made = await execWorkflow(context, program.words, options);
  const placed = (one: ExpandedWorkflow) => (isHere ? one : withScheduler(context, 'the command', one, options));
  const limits = () => (options.walltime === undefined ? [] : placed(made).schedulers);
  const workflow = placed(await withAutoSize(context, made, options, limits));
  await checkStorable(workflow);
  noteWithoutEffect(context, workflow);
  if (options.dryRun === true) {
    const [config = null] = workflow.schedulers;
    const submission = isHere ? '' : plannedText(config, options.allocations ?? 1);
    await showCounts(context, workflow, options.showJobs === true, shownInPlan, submission);
    return 0;
  }
  return isHere ? runHere(context, workflow, options) : runInAllocations(context, workflow, options);
}

/** The words of torc 1.0 as ours. */
function withoutAliases({ numCpus, numGpus, numNodes, ...options }: ExecOptions): ExecOptions {
  return {
    ...(numCpus === undefined ? {} : { cpus: numCpus }),
    ...(numGpus === undefined ? {} : { gpus: numGpus }),
    ...(numNodes === undefined ? {} : { nodes: numNodes }),
    ...options,
  };
}

/**
 * Whether jobs run on this machine: as typed; else in allocations when an option says so that only they have; else here,
 * except on a login node, where nobody should run jobs by accident. Throws TorcError 'usage' there.
 */
function runsHere({ env, torc }: Context, options: ExecOptions): boolean {
  const { local = false, slurm = false } = options;
  const isForSlurm = slurm || namesAllocations(options);
  if (local && isForSlurm) {
    throw new TorcError('usage', '--local cannot be combined with allocation options', `${torc} exec --help`);
  }
  if (local || isForSlurm) return local;
  if (isInsideJob(env) || !isOnPath('sbatch', env.PATH ?? '')) return true;
  throw new TorcError(
    'usage',
    'this machine can submit to Slurm, so say where the jobs run',
    '--local runs them here, --slurm -t 1:00:00 in an allocation.',
  );
}

function runHere(context: Context, workflow: ExpandedWorkflow, options: ExecOptions): Promise<number> {
  const { maxParallelJobs, output, cpus } = options;
  return runWorkflow(
    context,
    { spec: 'the command', workflow },
    {
      ...(output === undefined ? {} : { output }),
      ...(maxParallelJobs === undefined ? {} : { maxParallelJobs }),
      // as in xargs -P: that many at a time, however many CPUs there are, unless the jobs say what they need
      ...(maxParallelJobs === undefined || cpus !== undefined ? {} : { cpus: maxParallelJobs }),
    },
  );
}

async function runInAllocations(context: Context, workflow: ExpandedWorkflow, options: ExecOptions): Promise<number> {
  const { wait = false, progress = false } = options;
  requireSbatch(context);
  const { plan } = await withConnection(
    context,
    async (connection) => {
      const place = { workingDirectory: process.cwd(), outputDirectory: chosenOutput(context, options.output) };
      const { workflow_key } = await storeWorkflow(context, connection, workflow, place);
      return startStored(context, connection, workflow_key, {});
    },
    { creates: true, leavesServer: true },
  );
  const { value, text } = await submitStarted(context, plan, workflow.name, options);
  if (wait || progress) {
    context.terminal.err(context.format === 'text' ? text : '');
    return awaitRun(context, plan.workflow_key, { output: chosenOutput(context, options.output), progress });
  }
  await printResult(context, { ...value, ...sizeValue(workflow) }, () => text);
  return 0;
}
