/** A plan of allocations as text: a table, its sums, what does not fit, and what happens when. */
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { formatWalltime } from '../../slurm/script.ts';
import type { Context } from '../context/context.ts';
import { minimumText } from '../output/minimum-text.ts';
import { cutTable } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { fitWidth } from '../output/width.ts';
import type { AllocationRecord, NodePlan } from './node-plan.ts';

const columns = ['partition', 'starts', 'allocations', 'nodes', 'walltime', 'jobs', 'at_once', 'node_hours'];

export function nodePlanText(context: Context, plan: NodePlan): string {
  const what = `${counted(plan.num_jobs, 'job')} in ${counted(plan.stages.length, 'stage')}`;
  const head = `plan for ${cellText(plan.name)} on cluster ${cellText(plan.cluster)}: ${what}\n`;
  const notes = plan.notes.map((note) => `note: ${note}\n`).join('');
  if (plan.allocations.length === 0) return `${head}${notes}${misfitLines(plan)}no allocations\n`;
  const table = cutTable(context, columns, plan.allocations.map(row));
  const idle = `CPUs ${Math.round(plan.idle_share * 100)} % idle`;
  const sums = `ends ${formatDuration(plan.end_seconds)} after the start; ${plan.node_hours} node-hours, at most ${plan.node_hours_asked}; ${idle}\n`;
  return `${head}${table}${sums}${sizes(plan)}${estimates(plan)}${later(plan)}${notes}${misfitLines(plan)}\n${gantt(plan, widthOf(context))}`;
}

function widthOf({ terminal }: Context): number {
  return terminal.isStdoutTerminal ? Math.min(terminal.columns(), 120) : 80;
}

function row(each: AllocationRecord): Record<string, unknown> {
  return {
    partition: each.partition,
    starts: each.starts === 'workflow_start' ? 'at once' : `stage ${each.stages[0]}`,
    allocations: each.num_allocations,
    nodes: each.num_nodes,
    walltime: formatWalltime(each.walltime_seconds),
    jobs: each.num_jobs,
    at_once: each.jobs_at_once,
    node_hours: each.node_hours,
  };
}

/** Which of the nodes of a partition allocations ask for, where that is not any of them. */
function sizes({ allocations }: NodePlan): string {
  return allocations
    .map(({ partition, minimum }, at) => {
      const least = minimumText(minimum);
      return least === null ? '' : `line ${at + 1}, ${cellText(partition)}: nodes with ${least}\n`;
    })
    .join('');
}

/** What Slurm says of one allocation of each kind, where it was asked. */
function estimates({ allocations }: NodePlan): string {
  return allocations
    .flatMap(({ partition, num_nodes, walltime_seconds, estimate }) => {
      if (estimate === null) return [];
      const { start_time, wait_seconds, refusal, problem } = estimate;
      const what = `${cellText(partition)}, ${counted(num_nodes, 'node')} for ${formatWalltime(walltime_seconds)}`;
      if (problem !== null) return [`not known when Slurm could start ${what}: ${cellText(problem)}\n`];
      if (refusal !== null) return [`Slurm refuses ${what}: ${cellText(refusal)}\n`];
      const when = (wait_seconds ?? 0) === 0 ? 'now' : `in ${formatDuration(wait_seconds ?? 0)}, at ${start_time}`;
      return [`Slurm could start ${what} ${when}\n`];
    })
    .join('');
}

function later({ allocations }: NodePlan): string {
  const lines = allocations.filter(({ num_replacements }) => num_replacements > 0);
  return lines
    .map(({ partition, num_replacements: n }) => {
      return `${counted(n, 'more allocation')} of ${cellText(partition)} ${n === 1 ? 'follows' : 'follow'} when these have ended\n`;
    })
    .join('');
}

const shownMisfits = 10;

function misfitLines({ misfits, num_jobs_left }: NodePlan): string {
  const lines = misfits.slice(0, shownMisfits).map(({ first_job, num_jobs, text }) => {
    const which = num_jobs === 1 ? cellText(first_job) : `${counted(num_jobs, 'job')} (${cellText(first_job)} ..)`;
    return `not planned: ${which}: ${text}\n`;
  });
  const more =
    misfits.length > shownMisfits ? `not planned: ${misfits.length - shownMisfits} more kinds of jobs\n` : '';
  const left =
    num_jobs_left > 0
      ? `not planned: ${counted(num_jobs_left, 'job')} because other jobs or allocations are missing\n`
      : '';
  return lines.join('') + more + left;
}

const labelWidth = 22;
const mostLines = 40;

/** A line for each kind of allocations and for each stage, over the time from the start to the end. */
export function gantt({ allocations, stages, end_seconds }: NodePlan, width: number): string {
  const lines = [
    ...allocations.map((each) => {
      const label = `${each.partition}, ${counted(each.num_allocations * each.num_nodes, 'node')}`;
      return { label, from: each.start_seconds, to: each.end_seconds, mark: '=' };
    }),
    ...stages.map((each) => {
      return { label: `stage ${each.stage}`, from: each.start_seconds, to: each.end_seconds, mark: '#' };
    }),
  ];
  const end = Math.max(1, end_seconds, ...allocations.map((each) => each.end_seconds ?? 0));
  const bar = width - labelWidth - 3;
  const drawn = lines.slice(0, mostLines).map(({ label, from, to, mark }) => {
    const first = Math.min(bar - 1, Math.floor(((from ?? 0) / end) * bar));
    const last = Math.min(bar, Math.max(first + 1, Math.ceil(((to ?? 0) / end) * bar)));
    const marks = from === null ? '' : `${' '.repeat(first)}${mark.repeat(last - first)}`;
    return `${fitWidth(cellText(label), labelWidth).padEnd(labelWidth)} |${marks.padEnd(bar)}|\n`;
  });
  const more = lines.length > mostLines ? `(${lines.length - mostLines} more)\n` : '';
  const to = formatDuration(end);
  return `${drawn.join('')}${more}${' '.repeat(labelWidth + 2)}0${to.padStart(bar - 1)}\n`;
}
