/** Starts a stored workflow and submits its allocations; says what was submitted, and what is there when nothing was. */
import type { Reply } from '../../api/contract.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedScheduler } from '../../model/expanded.ts';
import { formatWalltime, slurmOutputDirectory } from '../../slurm/script.ts';
import type { Context } from '../context/context.ts';
import type { SubmissionOptions } from '../input/submission.ts';
import { cellText } from '../output/table.ts';
import type { PlannedSubmission } from '../workers/allocation-plan.ts';
import { submitNodes } from './slurm-schedule.ts';

export interface Submitted {
  plan: Reply<'workflow_start'>;
  slurmJobIds: string[];
  value: object;
  text: string;
}

/** Submits allocations of a workflow that has started. Throws the refusal of Slurm, with what is left behind. */
export async function submitStarted(
  context: Context,
  plan: Reply<'workflow_start'>,
  name: string,
  options: SubmissionOptions,
): Promise<Submitted> {
  const { workflow_key: workflowKey } = plan;
  const { allocations: count = 1, output, maxParallelJobs, force = false } = options;
  const schedule = {
    count,
    force,
    jobPrefix: 'worker',
    keepScripts: true,
    server: true,
    ...(output === undefined ? {} : { output }),
    ...(maxParallelJobs === undefined ? {} : { maxParallelJobs }),
  };
  const submitted = await submitNodes({ ...context, workflowKey }, schedule).catch((error: unknown) => {
    throw leftBehind(context, workflowKey, count, error);
  });
  const { config, output: outputDirectory } = submitted.schedule;
  const slurmJobIds = idsOf(submitted.allocations);
  const settings = [
    ...(config.partition === null ? [] : [`partition ${cellText(String(config.partition))}`]),
    `walltime ${formatWalltime(Number(config.walltime_seconds))}`,
  ];
  const what = `submitted ${counted(count, 'allocation')} (${settings.join(', ')})`;
  const place = { outputDirectory, scripts: true };
  return {
    plan,
    slurmJobIds,
    value: submittedValue(context, name, plan, { ...submitted.value, slurm_job_ids: slurmJobIds }),
    text: submittedText(context, name, plan, `${what}: ${jobsText(slurmJobIds)}`, place),
  };
}

function idsOf(allocations: readonly PlannedSubmission[]): string[] {
  return allocations.flatMap(({ slurm_job_id: id }) => (id === null ? [] : [id]));
}

export function jobsText(ids: readonly string[]): string {
  return `Slurm ${ids.length === 1 ? 'job' : 'jobs'} ${ids.join(' ')}`;
}

/** What would be submitted, for people; without a Slurm config a worker on this host. */
export function plannedText(config: ExpandedScheduler | null, count: number): string {
  if (config === null) return 'a worker on this host would start\n';
  const { account, partition, walltimeSeconds, mem, gres, extra } = config;
  const settings = [
    ...(account === '' ? [] : [`account ${account}`]),
    ...(partition === null ? [] : [`partition ${partition}`]),
    `walltime ${formatWalltime(walltimeSeconds)}`,
    ...(mem === null ? [] : [`--mem=${mem}`]),
    ...(gres === null ? [] : [`--gres=${gres}`]),
    ...(extra === null ? [] : [extra]),
  ];
  return `${counted(count, 'allocation')} would be submitted: ${settings.map(cellText).join(', ')}\n`;
}

/** The refusal, and how to go on with the workflow that is there without allocations. */
export function leftBehind(context: Context, key: string, count: number, thrown: unknown): TorcError {
  const { code, message, hint } = asTorcError(thrown);
  const torc = `${context.torc} -k ${key} hpc slurm`;
  const goOn = `Change its Slurm config: ${torc} modify-config .., then: ${torc} schedule-nodes -n ${count}; or delete it: ${context.torc} workflows delete ${key}`;
  const first = hint === null || code === 'slurm' ? '' : `${hint} `;
  const words = `${message.replace(/\.$/, '')}. Workflow ${key} is stored and started.`;
  return new TorcError(code, words, `${first}${goOn}`, { cause: thrown });
}

/** For programs: the start of the workflow, and the allocations. */
export function submittedValue(
  { directory }: Context,
  name: string,
  plan: Reply<'workflow_start'>,
  submitted: object,
): object {
  return {
    ...plan,
    ...submitted,
    workflow_key: plan.workflow_key,
    name,
    slurm_output_directory: slurmOutputDirectory(directory),
  };
}

/** For people: what was submitted, where its files are, and what to type next. */
export function submittedText(
  context: Context,
  name: string,
  plan: Reply<'workflow_start'>,
  what: string,
  place: { outputDirectory: string; scripts: boolean },
): string {
  const { torc, directory } = context;
  const { workflow_key: key, num_ready, num_blocked } = plan;
  const scripts = place.scripts ? `\n  scripts:     ${directory}/slurm_scripts` : '';
  return `workflow ${key} (${cellText(name)}) started: ${counted(num_ready, 'job')} ready, ${num_blocked} blocked
${what}
  job output:  ${place.outputDirectory}
  Slurm logs:  ${slurmOutputDirectory(directory)}${scripts}
  follow it:   ${torc} watch ${key}
  its state:   ${torc} status ${key}
`;
}
