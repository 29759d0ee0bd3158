/** `torc hpc slurm schedule-nodes`: submits Slurm jobs that run workers; with `--dry-run` only prints them. */
import type { Api, ListRecord } from '../../api/contract.ts';
import type { DemandRow } from '../../api/demand.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { systemSlurm } from '../../slurm/commands.ts';
import { formatWalltime } from '../../slurm/script.ts';
import { startOwnServer } from '../connection/action-server.ts';
import { type Connection, connectRemote } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { noteElsewhere } from '../input/base-directory.ts';
import { printResult } from '../output/output.ts';
import { isForConfig, notePools } from '../output/pool-notes.ts';
import { slurmTime } from '../output/reason-help.ts';
import { cellText } from '../output/table.ts';
import type { ScheduleOptions } from '../workers/allocation-plan.ts';
import { type PlannedSubmission, plannedSubmission, planSchedule, type Schedule } from '../workers/allocation-plan.ts';
import { submitAll } from '../workers/submit-allocations.ts';

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
export async function submitNodes(context: Context, options: ScheduleOptions): Promise<SubmittedNodes> {
  if (options.dryRun === true) return withConnection(context, (connection) => planNodes(context, connection, options));
  const { connection, wasStarted } = await connectToServer(context, options);
  try {
    const schedule = await planSchedule(context, connection.api, options);
    await noteMisfits(context, connection.api, schedule, options);
    const allocations = await submitAll(context, connection.api, schedule, options);
    const plan = planValue(schedule, options, allocations, wasStarted);
    const text = submittedText(context, schedule, allocations);
    return { value: { dry_run: false, ...plan }, text, schedule, allocations };
  } finally {
    await connection.close();
  }
}

async function planNodes(context: Context, connection: Connection, options: ScheduleOptions): Promise<SubmittedNodes> {
  const schedule = await planSchedule(context, connection.api, options);
  const willStart = connection.kind === 'in_process' && options.server;
  const allocations = Array.from({ length: options.count }, (_, at) =>
    plannedSubmission(context, schedule, options, at),
  );
  const plan = planValue(schedule, options, allocations, willStart);
  await noteMisfits(context, connection.api, schedule, options);
  const text = dryRunText(schedule, allocations, willStart);
  return { value: { dry_run: true, ...plan }, text, schedule, allocations };
}

/** Warns about jobs that the allocations cannot run. */
async function noteMisfits(context: Context, api: Api, schedule: Schedule, options: ScheduleOptions): Promise<void> {
  noteOthers(context, schedule);
  noteElsewhere(context, schedule.workflow);
  const { demand } = await api.call('demand', { workflow_key: schedule.workflow.workflow_key });
  const theirs = demand.filter((row) => row.status !== 'uninitialized' && isForConfig(schedule.config, row));
  await noteTooLong(context, schedule, theirs);
  await notePools(context, api, schedule.workflow.workflow_key, schedule.config);
  const { config } = schedule;
  const ready = theirs.filter(({ status }) => status === 'ready');
  const [asked, given] = [Math.max(0, ...ready.map(({ num_nodes }) => num_nodes)), Number(config.num_nodes)];
  if (asked > given) {
    const command = `${context.torc} hpc slurm modify-config ${config.slurm_config_key} -n ${asked}`;
    note(context, `ready jobs need ${asked} nodes, but these allocations have only ${given}: ${command}`, 'warning');
  } else if (asked > 1 && options.startOneWorkerPerNode === true) {
    note(context, `ready jobs need ${asked} nodes, but with -S each worker has only one; leave out -S`, 'warning');
  }
}

async function noteTooLong(context: Context, { config }: Schedule, jobs: readonly DemandRow[]): Promise<void> {
  const { slurm_config_key: key, walltime_seconds } = config;
  const walltime = Number(walltime_seconds);
  const tooLong = jobs.filter(({ runtime_seconds }) => runtime_seconds !== null && runtime_seconds > walltime);
  const numJobs = tooLong.reduce((sum, { num_jobs }) => sum + num_jobs, 0);
  const longest = Math.max(0, ...tooLong.map(({ runtime_seconds }) => runtime_seconds ?? 0));
  const modify = `${context.torc} hpc slurm modify-config ${key} -w`;
  if (numJobs > 0) {
    const what = `${counted(numJobs, 'job')} may run for ${numJobs > 1 ? 'up to ' : ''}${formatDuration(longest)}`;
    const text = `${what}, but these allocations last ${formatDuration(walltime)}: ${modify} ${slurmTime(longest)}`;
    note(context, text, 'warning');
  }
  const limit = await longestOfPartition(context, config);
  if (limit === null || limit.seconds >= walltime) return;
  const allowed = `partition ${limit.partition} allows ${formatDuration(limit.seconds)}`;
  note(context, `${allowed}, but these allocations ask for ${formatDuration(walltime)}: ${modify} ..`, 'warning');
}

/** The longest time limit of the partitions that a Slurm config names, or of the default one; null if none is known. */
async function longestOfPartition(
  context: Context,
  config: ListRecord,
): Promise<{ partition: string; seconds: number } | null> {
  const answer = await systemSlurm(context.env).sinfo();
  if (answer.kind === 'failed') return null;
  const names = config.partition === null ? null : String(config.partition).split(',');
  const asked = answer.value.records.filter((one) => names?.includes(one.partition) ?? one.isDefault);
  if (asked.length === 0 || asked.some(({ maxTimeSeconds }) => maxTimeSeconds === null)) return null;
  const [longest] = asked.toSorted((a, b) => (b.maxTimeSeconds ?? 0) - (a.maxTimeSeconds ?? 0));
  return longest === undefined ? null : { partition: longest.partition, seconds: longest.maxTimeSeconds ?? 0 };
}

function noteOthers(context: Context, { workflow, others }: Schedule): void {
  for (const { slurm_config_key: key, name, num_ready_jobs: count } of others) {
    const jobs = count === 1 ? '1 ready job needs' : `${count} ready jobs need`;
    const command = `${context.torc} -k ${workflow.workflow_key} hpc slurm schedule-nodes -s ${key} -n 1`;
    note(context, `${jobs} workers of Slurm config ${cellText(name)}: ${command}`);
  }
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
  await withConnection(context, ({ api }) => planSchedule(context, api, options), { leavesServer: true });
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
