/** `torc hpc slurm schedule-nodes`: submits Slurm jobs that run workers; with `--dry-run` only prints them. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { startOwnServer } from '../connection/action-server.ts';
import { type Connection, connectRemote } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { noteElsewhere } from '../input/base-directory.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import type { ScheduleOptions } from '../workers/allocation-plan.ts';
import { type PlannedSubmission, plannedSubmission, planSchedule, type Schedule } from '../workers/allocation-plan.ts';
import { submitAll } from '../workers/submit-allocations.ts';

export async function scheduleNodes(context: Context, options: ScheduleOptions): Promise<void> {
  if (options.dryRun === true) {
    await withConnection(context, async (connection) => {
      const schedule = await planSchedule(context, connection.api, options);
      const willStart = connection.kind === 'in_process' && options.server;
      const allocations = Array.from({ length: options.count }, (_, at) =>
        plannedSubmission(context, schedule, options, at),
      );
      const plan = planValue(schedule, options, allocations, willStart);
      noteMisfits(context, schedule, options);
      await printResult(context, { dry_run: true, ...plan }, () => dryRunText(schedule, allocations, willStart));
    });
    return;
  }
  const { connection, wasStarted } = await connectToServer(context, options);
  try {
    const schedule = await planSchedule(context, connection.api, options);
    const allocations = await submitAll(context, connection.api, schedule, options);
    const plan = planValue(schedule, options, allocations, wasStarted);
    noteMisfits(context, schedule, options);
    await printResult(context, { dry_run: false, ...plan }, () => submittedText(context, schedule, allocations));
  } finally {
    await connection.close();
  }
}

/** Warns about ready jobs that the allocations cannot run. */
function noteMisfits(context: Context, schedule: Schedule, options: ScheduleOptions): void {
  noteOthers(context, schedule);
  noteElsewhere(context, schedule.workflow);
  const { config } = schedule;
  const [asked, given] = [Number(config.most_nodes_asked_for), Number(config.num_nodes)];
  if (asked > given) {
    const command = `${context.torc} hpc slurm modify-config ${config.slurm_config_key} -n ${asked}`;
    note(context, `ready jobs need ${asked} nodes, but these allocations have only ${given}: ${command}`, 'warning');
  } else if (asked > 1 && options.startOneWorkerPerNode === true) {
    note(context, `ready jobs need ${asked} nodes, but with -S each worker has only one; leave out -S`, 'warning');
  }
}

function noteOthers(context: Context, { workflow, others }: Schedule): void {
  for (const { slurm_config_key: key, name, num_ready_jobs: count } of others) {
    const jobs = count === 1 ? '1 ready job needs' : `${count} ready jobs need`;
    const command = `${context.torc} -k ${workflow.workflow_key} hpc slurm schedule-nodes -s ${key} -n 1`;
    note(context, `${jobs} workers of Slurm config ${cellText(name)}: ${command}`);
  }
}

/** Workers need a lasting server: the one that answers, else a new one, started only when the plan has no errors. */
async function connectToServer(
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
  await withConnection(context, ({ api }) => planSchedule(context, api, options));
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
    output_directory: schedule.output,
    one_worker_per_node: options.startOneWorkerPerNode ?? false,
    starts_server: startsServer,
    changes: [],
    allocations,
  };
}

function dryRunText(schedule: Schedule, allocations: readonly PlannedSubmission[], startsServer: boolean): string {
  const [first] = allocations;
  const others = allocations.slice(1).map((allocation) => `# also: ${allocation.name}\n`);
  const server = startsServer ? ', and a server started on this host' : '';
  return `${first?.script ?? ''}${others.join('')}dry run: ${counted(allocations.length, 'allocation')} of workflow ${schedule.workflow.workflow_key} would be submitted${server}\n`;
}

function submittedText(context: Context, schedule: Schedule, allocations: readonly PlannedSubmission[]): string {
  const key = schedule.workflow.workflow_key;
  const lines = allocations.map((allocation) => `  ${allocation.slurm_job_id}  ${allocation.name}\n`);
  return `submitted ${counted(allocations.length, 'allocation')} of workflow ${key} (Slurm job, name):
${lines.join('')}output goes to ${schedule.output}
  follow:  ${context.torc} -k ${key} hpc slurm allocations
           ${context.torc} workflows show-status ${key}
`;
}
