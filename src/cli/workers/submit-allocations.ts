/** Submits planned allocations one after the other, each recorded before sbatch and confirmed after it. */
import type { Api } from '../../api/contract.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { makeDirectories, recordAllocation, submitRecorded } from '../../server/actions/submission.ts';
import { type SlurmCommands, systemSlurm } from '../../slurm/commands.ts';
import { type Context, note } from '../context/context.ts';
import { prepareOutputDirectory } from '../input/output-directory.ts';
import { startProgress } from '../output/progress.ts';
import type { ScheduleOptions } from './allocation-plan.ts';
import {
  allocationName,
  batchOf,
  type PlannedSubmission,
  plannedSubmission,
  type Schedule,
} from './allocation-plan.ts';

/** Returns the submitted allocations. Stops at the first that Slurm refuses: TorcError 'slurm' with sbatch's message. */
export async function submitAll(
  context: Context,
  api: Api,
  schedule: Schedule,
  options: ScheduleOptions,
): Promise<PlannedSubmission[]> {
  // errors in the script are found before the first allocation is recorded
  plannedSubmission(context, schedule, options, 0);
  prepareOutputDirectory(context, schedule.output);
  makeDirectories(batchOf(context, schedule, options));
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
  return `Submitted ${submitted.length} of ${counted(wanted, 'allocation')}${ids === '' ? '' : `: Slurm jobs ${ids}`}.`;
}

async function submitOne(
  context: Context,
  api: Api,
  slurm: SlurmCommands,
  schedule: Schedule,
  options: ScheduleOptions,
  at: number,
): Promise<PlannedSubmission> {
  const name = allocationName(context, schedule, options.jobPrefix, at);
  const batch = batchOf(context, schedule, options);
  const allocationKey = await recordAllocation(api, batch, name);
  const planned = plannedSubmission(context, schedule, options, at, allocationKey);
  const { slurmJobId, notice } = await submitRecorded(api, slurm, batch, { name, allocationKey });
  if (notice !== null) note(context, `sbatch: ${notice}`, 'warning');
  return { ...planned, slurm_job_id: slurmJobId };
}
