/** Submits planned allocations one after the other, each recorded before sbatch and confirmed after it. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Api } from '../api/contract.ts';
import { asTorcError, TorcError } from '../base/errors.ts';
import { isOutcomeUnknown, type SlurmCommands, systemSlurm } from '../slurm/commands.ts';
import { slurmOutputDirectory } from '../slurm/script.ts';
import { allocationName, type PlannedSubmission, plannedSubmission, type Schedule } from './allocation-plan.ts';
import type { ScheduleOptions } from './commands/hpc-slurm.ts';
import { type Context, note } from './context.ts';
import { startProgress } from './progress.ts';
import { counted } from './words.ts';

/** The submitted allocations. The first that Slurm refuses ends it; throws TorcError 'slurm' with sbatch's words. */
export async function submitAll(
  context: Context,
  api: Api,
  schedule: Schedule,
  options: ScheduleOptions,
): Promise<PlannedSubmission[]> {
  // what cannot be submitted is found before the first allocation is recorded
  plannedSubmission(context, schedule, options, 0);
  makeDirectories(schedule.output);
  const slurm = systemSlurm(context.env);
  const progress = startProgress(context);
  const submitted: PlannedSubmission[] = [];
  let isInterrupted = false;
  const removeHandler = context.interrupts.handle(() => {
    isInterrupted = true;
  });
  try {
    while (submitted.length < options.count && !isInterrupted) {
      submitted.push(await submitOne(context, api, slurm, schedule, options, submitted.length));
      progress.update(`${submitted.length} of ${options.count} allocations submitted`);
    }
  } catch (thrown) {
    const error = asTorcError(thrown);
    const words = error.message.replace(/\.$/, '');
    throw new TorcError(error.code, `${words}. ${soFar(submitted, options.count)}`, error.hint, { cause: thrown });
  } finally {
    progress.clear();
    removeHandler();
  }
  if (isInterrupted)
    throw new TorcError('interrupted', soFar(submitted, options.count), `${context.torc} hpc slurm allocations`);
  return submitted;
}

function soFar(submitted: readonly PlannedSubmission[], wanted: number): string {
  const ids = submitted.map((allocation) => allocation.slurm_job_id).join(' ');
  return `${submitted.length} of ${counted(wanted, 'allocation')} were submitted${ids === '' ? '' : `: Slurm jobs ${ids}`}.`;
}

function scriptsDirectory(output: string): string {
  return join(output, 'slurm_scripts');
}

function makeDirectories(output: string): void {
  try {
    for (const directory of [output, slurmOutputDirectory(output), scriptsDirectory(output)]) {
      mkdirSync(directory, { recursive: true });
    }
  } catch (error) {
    throw new TorcError(
      'usage',
      `cannot make the output directory ${output}: ${asTorcError(error).message}`,
      'Choose another with -o.',
    );
  }
}

/** Recorded before sbatch and confirmed after it, so that a crash between the two leaves none unknown. */
async function submitOne(
  context: Context,
  api: Api,
  slurm: SlurmCommands,
  schedule: Schedule,
  options: ScheduleOptions,
  at: number,
): Promise<PlannedSubmission> {
  const name = allocationName(context, schedule, options.jobPrefix, at);
  const scriptPath = join(scriptsDirectory(schedule.output), `${name}.sbatch`);
  const [allocationKey = ''] = await recordAllocation(context, api, schedule, options, { name, scriptPath });
  const planned = plannedSubmission(context, schedule, options, at, allocationKey);
  writeFileSync(scriptPath, planned.script);
  const confirm = (slurmJobId: string | null, cluster: string | null, error: string | null) =>
    api.call('allocation_confirm', { allocation_key: allocationKey, slurm_job_id: slurmJobId, cluster, error });
  try {
    const { slurmJobId, cluster, notice } = await slurm.sbatch(scriptPath, { jobName: name });
    await confirm(slurmJobId, cluster, null);
    if (notice !== null) note(context, `sbatch: ${notice}`, 'warning');
    if (options.keepScripts !== true) rmSync(scriptPath, { force: true });
    return { ...planned, slurm_job_id: slurmJobId };
  } catch (error) {
    // when sbatch's reply was lost the allocation stays recorded, so that it can still be found by its name
    const isRefused = error instanceof TorcError && error.code === 'slurm' && !isOutcomeUnknown(error);
    if (isRefused) await confirm(null, null, error.message);
    throw error;
  }
}

async function recordAllocation(
  context: Context,
  api: Api,
  schedule: Schedule,
  options: ScheduleOptions,
  { name, scriptPath }: { name: string; scriptPath: string },
): Promise<readonly string[]> {
  const allocation = {
    name,
    num_nodes: Number(schedule.config.num_nodes),
    one_worker_per_node: options.startOneWorkerPerNode ?? false,
    script_path: scriptPath,
    output_directory: schedule.output,
  };
  try {
    const { allocation_keys } = await api.call('allocations_record', {
      workflow_key: schedule.workflow.workflow_key,
      slurm_config_key: String(schedule.config.slurm_config_key),
      allocations: [allocation],
    });
    return allocation_keys;
  } catch (error) {
    if (!/UNIQUE constraint/.test(asTorcError(error).message)) throw error;
    const message = 'another command schedules nodes for this workflow at this moment.';
    throw new TorcError(
      'conflict',
      message,
      `Look with ${context.torc} hpc slurm allocations, then schedule the rest.`,
    );
  }
}
