/** The jobs of a specification or of a stored workflow as the planner takes them. */
import type { Api } from '../../api/contract.ts';
import type { PlannedGroup } from '../../api/planning.ts';
import { TorcError } from '../../base/errors.ts';
import { sortRanks } from '../../model/decide/claim-order.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { buildGraph } from '../../model/graph/graph.ts';
import { defaultRequirements, packedMs, type Requirements } from '../../model/job.ts';
import { type LabelSet, labelSet } from '../../model/labels.ts';
import { noResources } from '../../model/named-resources.ts';
import { groupsOf, type JobGroup, mostPlannedGroups, type PlannedShape } from '../../model/plan/groups.ts';
import type { WorkerRules } from '../../model/plan/simulation.ts';

export interface PlannedJobs {
  workflowKey: string | null;
  name: string;
  numJobs: number;
  groups: JobGroup[];
  /** By group: the name of the job that is ready before the others. */
  firstJobs: string[];
  /** By group: whether its jobs run only on workers of a Slurm config that they name. */
  hasOwnConfig: boolean[];
  rules: WorkerRules;
}

function tooManyGroups(): TorcError {
  return new TorcError(
    'usage',
    `there are more than ${mostPlannedGroups} stages and kinds of jobs, too many to plan with`,
    'Submit some allocations and watch: torc hpc slurm schedule-nodes -n 1',
  );
}

export function jobsOfSpec(workflow: ExpandedWorkflow): PlannedJobs {
  const { numJobs, numBarriers, edges, requirements, jobsSortMethod } = workflow;
  const needs: Requirements[] = [...requirements, defaultRequirements];
  const ranks = sortRanks(jobsSortMethod, needs);
  const shapes: PlannedShape[] = [];
  const configs: boolean[] = [];
  const numbers = new Map<string, number>();
  const shapeOf = new Int32Array(numJobs);
  let index = 0;
  for (const job of workflow.jobs) {
    const which = job.requirements ?? requirements.length;
    const labels = labelSet(job.labels ?? []);
    const id = JSON.stringify([which, job.priority, job.supportsTermination, labels, job.scheduler]);
    let number = numbers.get(id);
    if (number === undefined) {
      const need = needs[which] as Requirements;
      number = shapes.push({
        need,
        runtimeMs: packedMs(need),
        isRuntimeKnown: need.isRuntimeStated || need.expectedMs !== undefined,
        priority: job.priority,
        sortRank: ranks[which] as number,
        supportsTermination: job.supportsTermination,
        labels,
      });
      number -= 1;
      configs.push(job.scheduler !== null);
      numbers.set(id, number);
    }
    shapeOf[index] = number;
    index += 1;
  }
  const graph = buildGraph(numJobs, numBarriers, edges);
  const groups = groupsOf({ numJobs, graph, shapeOf, shapes }, mostPlannedGroups);
  if (groups === null) throw tooManyGroups();
  return {
    workflowKey: null,
    name: workflow.name,
    numJobs,
    groups,
    firstJobs: namesOf(workflow, groups),
    hasOwnConfig: groups.map(({ firstJob }) => configs[shapeOf[firstJob] as number] === true),
    rules: {
      bufferMs: workflow.expirationBufferSeconds * 1000,
      idleMs: workflow.waitForNewJobsSeconds * 1000,
    },
  };
}

function namesOf(workflow: ExpandedWorkflow, groups: readonly JobGroup[]): string[] {
  const wanted = new Map(groups.map(({ soonestJob }, group) => [soonestJob, group]));
  const names = groups.map(() => '');
  let index = 0;
  for (const { name } of workflow.jobs) {
    const group = wanted.get(index);
    if (group !== undefined) names[group] = name;
    index += 1;
  }
  return names;
}

/** The jobs of a stored workflow that wait. */
export async function jobsOfWorkflow(api: Api, workflowKey: string): Promise<PlannedJobs> {
  const reply = await api.call('planned_jobs', { workflow_key: workflowKey });
  const { name, num_jobs, groups, expiration_buffer_seconds, wait_for_new_jobs_seconds } = reply;
  if (groups === null) throw tooManyGroups();
  return {
    workflowKey,
    name,
    numJobs: num_jobs,
    groups: groups.map(groupOf),
    firstJobs: groups.map(({ first_job }) => first_job),
    hasOwnConfig: groups.map(({ slurm_config_key }) => slurm_config_key !== null),
    rules: { bufferMs: expiration_buffer_seconds * 1000, idleMs: wait_for_new_jobs_seconds * 1000 },
  };
}

function groupOf(group: PlannedGroup): JobGroup {
  return {
    stage: group.stage,
    numJobs: group.num_jobs,
    firstJob: group.first_number,
    // by its name
    soonestJob: group.first_number,
    waitsFor: group.waits_for.map(({ group: index, per_job }) => ({ group: index, perJob: per_job })),
    need: {
      numCpus: group.num_cpus,
      memoryBytes: group.memory_bytes,
      gpuThousandths: group.gpu_thousandths,
      numNodes: group.num_nodes,
      runtimeMs: group.runtime_ms,
      isRuntimeStated: group.is_runtime_stated,
      isMemoryStated: group.is_memory_stated,
      ...(group.expected_ms === null ? {} : { expectedMs: group.expected_ms }),
      ...(group.resources === noResources ? {} : { resources: group.resources }),
    },
    runtimeMs: group.taken_ms,
    isRuntimeKnown: group.is_taken_known,
    priority: group.priority,
    sortRank: group.sort_rank,
    supportsTermination: group.supports_termination,
    labels: group.labels as LabelSet,
  };
}
