/** The allocations of a recovery: as earlier ones were submitted, as many as the ready jobs need. */
import type { Api, Recovered, RestartPlan } from '../../api/contract.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import {
  type PlannedSubmission,
  plannedSubmission,
  planSchedule,
  type Schedule,
  type ScheduleOptions,
} from '../workers/allocation-plan.ts';
import { submitAll } from '../workers/submit-allocations.ts';
import { connectToServer } from './slurm-schedule.ts';

type Wanted = Recovered['nodes'][number];

/** What would be submitted, with the names and scripts that the allocations get. */
export async function planRecoveryNodes(context: Context, api: Api, plan: RestartPlan): Promise<PlannedSubmission[]> {
  const planned: PlannedSubmission[] = [];
  for (const wanted of plan.recovered?.nodes ?? []) {
    const { schedule, options, chosen } = await scheduleFor(context, api, plan, wanted);
    const first = planned.length;
    for (let at = 0; at < wanted.num_allocations; at += 1) {
      planned.push(plannedSubmission(chosen, schedule, options, first + at));
    }
  }
  return planned;
}

/** Submits them, and starts a server for their workers. Throws the refusal of Slurm, with what is there then. */
export async function submitRecoveryNodes(context: Context, plan: RestartPlan): Promise<PlannedSubmission[]> {
  const wanted = plan.recovered?.nodes ?? [];
  const [first] = wanted;
  if (first === undefined) return [];
  try {
    const { connection } = await connectToServer(chosenContext(context, plan), optionsFor(plan, first));
    try {
      const submitted: PlannedSubmission[] = [];
      for (const one of wanted) {
        const { schedule, options, chosen } = await scheduleFor(context, connection.api, plan, one);
        submitted.push(...(await submitAll(chosen, connection.api, schedule, options)));
      }
      return submitted;
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw withoutNodes(context, plan, error);
  }
}

function withoutNodes({ torc }: Context, { workflow_key: key, num_ready }: RestartPlan, thrown: unknown): TorcError {
  const { code, message, hint } = asTorcError(thrown);
  const words = `${message.replace(/\.$/, '')}. Workflow ${key} is recovered, and its ready jobs (${num_ready}) wait for nodes.`;
  const goOn = `${torc} -k ${key} hpc slurm schedule-nodes -n 1`;
  return new TorcError(code, words, hint === null ? goOn : `${hint} Then: ${goOn}`, { cause: thrown });
}

function chosenContext(context: Context, { workflow_key }: RestartPlan): Context {
  return { ...context, workflowKey: workflow_key };
}

function optionsFor(plan: RestartPlan, wanted: Wanted): ScheduleOptions {
  const output = plan.recovered?.output_directory ?? null;
  return {
    count: wanted.num_allocations,
    schedulerKey: wanted.slurm_config_key,
    jobPrefix: 'worker',
    startOneWorkerPerNode: wanted.one_worker_per_node,
    minimum: wanted.minimum,
    server: true,
    ...(output === null ? {} : { output }),
  };
}

async function scheduleFor(
  context: Context,
  api: Api,
  plan: RestartPlan,
  wanted: Wanted,
): Promise<{ schedule: Schedule; options: ScheduleOptions; chosen: Context }> {
  const chosen = chosenContext(context, plan);
  const options = optionsFor(plan, wanted);
  const schedule = await planSchedule(chosen, api, options);
  // jobs of several nodes need larger allocations than the Slurm config says
  const config = { ...schedule.config, num_nodes: wanted.num_nodes };
  return { schedule: { ...schedule, config }, options, chosen };
}
