/** `torc hpc slurm schedule-nodes`: submits Slurm jobs that run workers; with `--dry-run` only prints them. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { formatWalltime } from '../../slurm/script.ts';
import { startOwnServer } from '../connection/action-server.ts';
import { type Connection, connectRemote } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { printResult } from '../output/output.ts';
import type { ScheduleOptions } from '../workers/allocation-plan.ts';
import { type PlannedSubmission, plannedSubmission, type Schedule } from '../workers/allocation-plan.ts';
import { submitAll } from '../workers/submit-allocations.ts';
import { checkedSchedule, noteMisfits } from './slurm-schedule-checks.ts';

export async function scheduleNodes(context: Context, options: ScheduleOptions): Promise<void> {
  const { value, text } = await submitNodes(context, options);
  await printResult(context, value, () => text);
}

/** What was submitted, or would be, for programs and for people. */
export interface SubmittedNodes {
  value: object;
  text: string;
  schedule: Schedule;
  allocations: readonly PlannedSubmission[];
}

/** Submits the allocations, or with `dryRun` plans that; warns, and prints nothing else. */
export async function submitNodes(context: Context, given: ScheduleOptions): Promise<SubmittedNodes> {
  if (given.dryRun === true) return withConnection(context, (connection) => planNodes(context, connection, given));
  const { connection, wasStarted } = await connectToServer(context, given);
  try {
    const checked = await checkedSchedule(context, connection.api, given);
    await noteMisfits(context, connection.api, checked, given);
    const { schedule, options } = checked;
    const allocations = await submitAll(context, connection.api, schedule, options);
    const plan = planValue(schedule, options, allocations, wasStarted);
    const text = submittedText(context, schedule, allocations);
    return { value: { dry_run: false, ...plan }, text, schedule, allocations };
  } finally {
    await connection.close();
  }
}

async function planNodes(context: Context, connection: Connection, given: ScheduleOptions): Promise<SubmittedNodes> {
  const checked = await checkedSchedule(context, connection.api, given);
  const { schedule, options } = checked;
  const willStart = connection.kind === 'in_process' && options.server;
  const allocations = Array.from({ length: options.count }, (_, at) =>
    plannedSubmission(context, schedule, options, at),
  );
  const plan = planValue(schedule, options, allocations, willStart);
  await noteMisfits(context, connection.api, checked, given);
  const text = dryRunText(schedule, allocations, willStart);
  return { value: { dry_run: true, ...plan }, text, schedule, allocations };
}

/** Workers need a lasting server: the one that answers, else a new one, started only when the plan has no errors. */
export async function connectToServer(
  context: Context,
  options: ScheduleOptions,
): Promise<{ connection: Connection; wasStarted: boolean }> {
  const running = await connectRemote(context.directory);
  if (running !== null) return { connection: running, wasStarted: false };
  if (!options.server) {
    throw new TorcError(
      'unreachable',
      `no server answers for ${context.directory}, and --no-server was given`,
      `${context.torc} server start --daemon`,
    );
  }
  await withConnection(context, ({ api }) => checkedSchedule(context, api, options), { leavesServer: true });
  await startOwnServer(context);
  const connection = await connectRemote(context.directory);
  if (connection === null)
    throw new TorcError('unreachable', 'the server that was started does not answer', `${context.torc} server info`);
  return { connection, wasStarted: true };
}

function planValue(
  schedule: Schedule,
  options: ScheduleOptions,
  allocations: readonly PlannedSubmission[],
  startsServer: boolean,
): object {
  return {
    workflow_key: schedule.workflow.workflow_key,
    slurm_config_key: String(schedule.config.slurm_config_key),
    walltime_seconds: schedule.config.walltime_seconds,
    output_directory: schedule.output,
    one_worker_per_node: options.startOneWorkerPerNode ?? false,
    starts_server: startsServer,
    changes: [],
    allocations,
  };
}

function walltimeOf({ config }: Schedule): string {
  return formatWalltime(Number(config.walltime_seconds));
}

function dryRunText(schedule: Schedule, allocations: readonly PlannedSubmission[], startsServer: boolean): string {
  const [first] = allocations;
  const others = allocations.slice(1).map((allocation) => `# also: ${allocation.name}\n`);
  const server = startsServer ? ', and a server started on this host' : '';
  return `${first?.script ?? ''}${others.join('')}dry run: ${counted(allocations.length, 'allocation')} of workflow ${schedule.workflow.workflow_key} would be submitted, walltime ${walltimeOf(schedule)}${server}\n`;
}

function submittedText(context: Context, schedule: Schedule, allocations: readonly PlannedSubmission[]): string {
  const key = schedule.workflow.workflow_key;
  const lines = allocations.map((allocation) => `  ${allocation.slurm_job_id}  ${allocation.name}\n`);
  return `submitted ${counted(allocations.length, 'allocation')} of workflow ${key}, walltime ${walltimeOf(schedule)} (Slurm job, name):
${lines.join('')}output goes to ${schedule.output}
  follow:  ${context.torc} -k ${key} hpc slurm allocations
           ${context.torc} workflows show-status ${key}
`;
}
