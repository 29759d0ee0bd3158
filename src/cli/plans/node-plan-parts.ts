/** The Slurm configs and actions that a plan of allocations means. */
import type { ExpandedAction, ExpandedScheduler, ExpandedWorkflow } from '../../model/expanded.ts';
import { formatWalltime } from '../../slurm/script.ts';
import type { Context } from '../context/context.ts';
import type { AllocationRecord, NodePlan } from './node-plan.ts';

/** What a plan does not say. */
export interface ConfigChoices {
  /** Empty for the default account of the person. */
  account: string;
  qos: string | null;
}

/** What was typed, else what the configuration files say. */
export function configChoices(
  { settings, env }: Context,
  { account, qos }: { account?: string; qos?: string },
): ConfigChoices {
  const chosenQos = qos ?? settings.qos ?? null;
  return { account: account ?? settings.account ?? env.SBATCH_ACCOUNT ?? '', qos: chosenQos === '' ? null : chosenQos };
}

/** Whole nodes of the planned kind: those that have as much memory and as many CPUs. */
export function schedulerOf(planned: AllocationRecord, { account, qos }: ConfigChoices): ExpandedScheduler {
  const { name, partition, walltime_seconds, num_nodes, memory_bytes, num_gpus, gpu_type, minimum, labels } = planned;
  const cpus = minimum?.num_cpus ?? null;
  return {
    name,
    account,
    partition,
    qos,
    walltimeSeconds: walltime_seconds,
    numNodes: num_nodes,
    ntasksPerNode: null,
    mem: `${Math.floor(memory_bytes / 1024 ** 2)}M`,
    tmp: null,
    gres: num_gpus === 0 ? null : `gpu${gpu_type === null ? '' : `:${gpu_type}`}:${num_gpus}`,
    extra: cpus === null ? '--exclusive' : `--exclusive --mincpus=${cpus}`,
    ...(labels.length === 0 ? {} : { labels }),
  };
}

/** The workflow with what the plan means. */
export function withPlan(workflow: ExpandedWorkflow, plan: NodePlan, choices: ConfigChoices): ExpandedWorkflow {
  const first = workflow.schedulers.length;
  const schedulers = plan.allocations.map((each) => schedulerOf(each, choices));
  const numbers = numbersOf(workflow, new Set(plan.allocations.flatMap((each) => each.starts_with_job ?? [])));
  const actions = plan.allocations.map((each, index): ExpandedAction => {
    const job = each.starts_with_job === null ? undefined : numbers.get(each.starts_with_job);
    return {
      triggerType: job === undefined ? 'on_workflow_start' : 'on_jobs_ready',
      actionType: 'schedule_nodes',
      jobs: job === undefined ? [] : [job],
      commands: [],
      scheduler: first + index,
      schedulerType: 'slurm',
      numAllocations: each.num_allocations,
      startOneWorkerPerNode: false,
      maxParallelJobs: null,
      persistent: false,
    };
  });
  return {
    ...workflow,
    schedulers: [...workflow.schedulers, ...schedulers],
    actions: [...workflow.actions, ...actions],
  };
}

function numbersOf({ jobs }: ExpandedWorkflow, names: ReadonlySet<string>): Map<string, number> {
  const numbers = new Map<string, number>();
  let number = 0;
  for (const { name } of jobs) {
    if (names.has(name)) numbers.set(name, number);
    number += 1;
  }
  return numbers;
}

/** The same in the keys of a specification. */
export function specParts(plan: NodePlan, choices: ConfigChoices): { schedulers: object[]; actions: object[] } {
  const schedulers = plan.allocations.map((each) => {
    const { name, account, partition, qos, numNodes, walltimeSeconds, mem, gres, extra, labels } = schedulerOf(
      each,
      choices,
    );
    return {
      name,
      ...(account === '' ? {} : { account }),
      partition,
      // without qos a specification means 'normal'; an empty one means none
      qos: qos ?? '',
      nodes: numNodes,
      walltime: formatWalltime(walltimeSeconds),
      mem,
      ...(gres === null ? {} : { gres }),
      extra,
      ...(labels === undefined ? {} : { labels }),
    };
  });
  const actions = plan.allocations.map((each) => ({
    trigger_type: each.starts_with_job === null ? 'on_workflow_start' : 'on_jobs_ready',
    ...(each.starts_with_job === null ? {} : { jobs: [each.starts_with_job] }),
    action_type: 'schedule_nodes',
    scheduler: each.name,
    num_allocations: each.num_allocations,
  }));
  return { schedulers, actions };
}
