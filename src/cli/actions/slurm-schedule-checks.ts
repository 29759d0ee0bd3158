/** Whether allocations can run what waits, before they are submitted: refuses them where they can run nothing, else warns. */
import type { Api, ListRecord } from '../../api/contract.ts';
import type { DemandRow } from '../../api/demand.ts';
import type { StoredSite } from '../../api/sites.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { minimumRecord, noMinimum } from '../../model/decide/node-minimum.ts';
import { defaultRequirements } from '../../model/job.ts';
import { longestOfPartitions } from '../../model/plan/config-places.ts';
import type { Unfit } from '../../model/plan/unfit.ts';
import { type Context, note } from '../context/context.ts';
import { noteElsewhere } from '../input/base-directory.ts';
import { siteIfKnown } from '../input/site.ts';
import { minimumText } from '../output/minimum-text.ts';
import { isForConfig, notePools } from '../output/pool-notes.ts';
import { slurmTime } from '../output/reason-help.ts';
import { cellText } from '../output/table.ts';
import { siteCommand, unfitText } from '../output/unfit.ts';
import { judgedConfig, largeRows, unfitRow } from '../output/unfit-rows.ts';
import { planSchedule, type Schedule, type ScheduleOptions } from '../workers/allocation-plan.ts';

/** A plan, and what of the jobs that wait its allocations cannot run. */
export interface CheckedSchedule {
  schedule: Schedule;
  /** With the choice of how many workers an allocation has, where nobody made it. */
  options: ScheduleOptions;
  site: StoredSite | null;
  /** The jobs that their workers may take. */
  rows: DemandRow[];
  unfit: { row: DemandRow; unfit: Unfit }[];
  /** Those that fit only larger nodes than these allocations may get. */
  large: DemandRow[];
}

/** Throws TorcError 'usage' when the allocations could run none of the jobs that they are for. */
export async function checkedSchedule(context: Context, api: Api, given: ScheduleOptions): Promise<CheckedSchedule> {
  const planned = await planSchedule(context, api, given);
  const { workflow } = planned;
  const site = await siteIfKnown(context, api);
  const { demand } = await api.call('demand', { workflow_key: workflow.workflow_key });
  const rows = demand.filter((row) => row.status !== 'uninitialized' && isForConfig(planned.config, row));
  const config = given.mem === undefined ? planned.config : { ...planned.config, mem: memoryFor(given.mem, rows) };
  const schedule = { ...planned, config };
  const chosen = { ...given, startOneWorkerPerNode: given.startOneWorkerPerNode ?? areNodesApart(config, rows) };
  const mostNodes = chosen.startOneWorkerPerNode ? 1 : Number(config.num_nodes);
  const judged = judgedConfig(config, mostNodes);
  const unfit = rows.flatMap((row) => {
    const found = unfitRow(row, [judged], site);
    return found === null ? [] : [{ row, unfit: found }];
  });
  const [first] = unfit;
  if (first !== undefined && unfit.length === rows.length && given.force !== true) {
    const numJobs = rows.reduce((sum, { num_jobs }) => sum + num_jobs, 0);
    const which = numJobs === 1 ? 'the waiting job' : `none of the ${numJobs} waiting jobs`;
    const can = numJobs === 1 ? 'cannot' : 'can';
    const text = `${which} ${can} run in these allocations: ${unfitText(first.unfit, first.row.num_jobs, site)}`;
    const hint = `${remedy(context, schedule, first)}. Nothing was submitted; --force does it anyway.`;
    throw new TorcError('usage', text, hint);
  }
  const large = largeRows(rows, judged, site, Number(config.num_nodes));
  // smaller nodes would run nothing
  const isAll = large.minimum !== null && large.rows.length > 0 && large.rows.length + unfit.length === rows.length;
  const options = isAll ? { ...chosen, minimum: minimumRecord(large.minimum ?? noMinimum) } : chosen;
  return { schedule, options, site, rows, unfit, large: isAll ? [] : large.rows };
}

/** For each node: as typed, or what the largest of the jobs needs that can start now, else later. */
function memoryFor(mem: string, rows: readonly DemandRow[]): string {
  if (mem !== 'fit') return mem;
  const ready = rows.filter(({ status }) => status === 'ready');
  const [wanted, which] = ready.length > 0 ? [ready, 'ready'] : [rows, 'waiting'];
  const bytes = Math.max(0, ...wanted.map(({ memory_bytes }) => memory_bytes));
  if (bytes > defaultRequirements.memoryBytes) return `${Math.ceil(bytes / 1024 ** 2)}M`;
  const text = rows.length === 0 ? 'no job is waiting' : `no ${which} job states its memory`;
  throw new TorcError('usage', `--mem fit: ${text}`, 'Give a size, such as --mem 16G, or leave it out.');
}

/** Whether each node needs a worker to be used: none of the jobs uses several nodes together. */
function areNodesApart(config: ListRecord, rows: readonly DemandRow[]): boolean {
  return Number(config.num_nodes) > 1 && rows.length > 0 && rows.every(({ num_nodes }) => num_nodes === 1);
}

function remedy(context: Context, { config }: Schedule, { row, unfit }: CheckedSchedule['unfit'][number]): string {
  const modify = `${context.torc} hpc slurm modify-config ${config.slurm_config_key}`;
  if (unfit.isWalltime) return `${modify} -w ${slurmTime(row.runtime_seconds ?? 0)}`;
  return isForNodes(unfit) ? `${modify} -n ${row.num_nodes}` : siteCommand(context);
}

/** Whether the number of nodes is all that is too small. */
function isForNodes({ misfit }: Unfit): boolean {
  return misfit.code === 'larger_than_any_node' && misfit.dimensions.every((dimension) => dimension === 'nodes');
}

/** Warns about jobs that the allocations cannot run. */
export async function noteMisfits(
  context: Context,
  api: Api,
  { schedule, options, site, rows, unfit, large }: CheckedSchedule,
  stated: ScheduleOptions,
): Promise<void> {
  noteOthers(context, schedule);
  noteElsewhere(context, schedule.workflow);
  noteTooLong(context, schedule, site, rows);
  noteUnusedNodes(context, schedule, rows, stated.startOneWorkerPerNode ?? null);
  for (const each of unfit) {
    if (each.unfit.misfit.code === 'outlasts_partitions' || isForNodes(each.unfit)) continue;
    const which = counted(each.row.num_jobs, 'job');
    const text = unfitText(each.unfit, each.row.num_jobs, site);
    note(context, `${which} cannot run in these allocations: ${text}: ${siteCommand(context)}`, 'warning');
  }
  noteLarge(context, schedule, options, large);
  await notePools(context, api, schedule.workflow.workflow_key, schedule.config);
  const { config } = schedule;
  const ready = rows.filter(({ status }) => status === 'ready');
  const [asked, given] = [Math.max(0, ...ready.map(({ num_nodes }) => num_nodes)), Number(config.num_nodes)];
  if (asked > given) {
    const command = `${context.torc} hpc slurm modify-config ${config.slurm_config_key} -n ${asked}`;
    note(context, `ready jobs need ${asked} nodes, but these allocations have only ${given}: ${command}`, 'warning');
  } else if (asked > 1 && options.startOneWorkerPerNode === true) {
    note(context, `ready jobs need ${asked} nodes, but with -S each worker has only one; leave out -S`, 'warning');
  }
}

/** Slurm may choose any of the nodes that it has for these allocations, the smallest ones too. */
function noteLarge(context: Context, { workflow }: Schedule, options: ScheduleOptions, large: DemandRow[]): void {
  const least = minimumText(options.minimum ?? null);
  if (least !== null) note(context, `no waiting job fits what Slurm gives by itself: asking for nodes with ${least}`);
  if (large.length === 0) return;
  const numJobs = large.reduce((sum, { num_jobs }) => sum + num_jobs, 0);
  const fits = numJobs === 1 ? '1 job fits' : `${numJobs} jobs fit`;
  const text = `${fits} only nodes with more than these allocations ask for`;
  const command = `${context.torc} workflows autoscale ${workflow.workflow_key} asks for what each job needs`;
  note(context, `${text}: ${command}`, 'warning');
}

/** Says who uses the nodes of allocations of several, and which stay unused. */
function noteUnusedNodes(
  context: Context,
  { config }: Schedule,
  rows: readonly DemandRow[],
  stated: boolean | null,
): void {
  const numNodes = Number(config.num_nodes);
  if (numNodes < 2 || stated === true || rows.length === 0) return;
  const numSingle = rows.reduce((sum, { num_nodes, num_jobs }) => sum + (num_nodes === 1 ? num_jobs : 0), 0);
  if (areNodesApart(config, rows) && stated === null) {
    note(context, `no waiting job needs several nodes: a worker starts on each of the ${numNodes} nodes, as with -S`);
  } else if (numSingle > 0) {
    const runs = numSingle === 1 ? '1 job of one node runs' : `${numSingle} jobs of one node run`;
    const command = `${context.torc} hpc slurm add-config -N one-node -n 1 ..`;
    note(context, `${runs} only on the first of the ${numNodes} nodes; for more at a time: ${command}`, 'warning');
  }
}

function noteTooLong(
  context: Context,
  { config }: Schedule,
  site: StoredSite | null,
  jobs: readonly DemandRow[],
): void {
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
  const limit = longestOfPartitions({ partition: config.partition === null ? null : String(config.partition) }, site);
  if (limit === null || limit.ms >= walltime * 1000) return;
  const allowed = `partition ${limit.partition} allows ${formatDuration(limit.ms / 1000)}`;
  note(context, `${allowed}, but these allocations ask for ${formatDuration(walltime)}: ${modify} ..`, 'warning');
}

function noteOthers(context: Context, { workflow, others }: Schedule): void {
  for (const { slurm_config_key: key, name, num_ready_jobs: count } of others) {
    const jobs = count === 1 ? '1 ready job needs' : `${count} ready jobs need`;
    const command = `${context.torc} -k ${workflow.workflow_key} hpc slurm schedule-nodes -s ${key} -n 1`;
    note(context, `${jobs} workers of Slurm config ${cellText(name)}: ${command}`);
  }
}
