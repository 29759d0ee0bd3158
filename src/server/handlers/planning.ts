/** The waiting jobs of a workflow in groups. */

import type { Reply, Request } from '../../api/contract.ts';
import type { PlannedGroup } from '../../api/planning.ts';
import { anyConfig } from '../../model/decide/pools.ts';
import { noResources } from '../../model/named-resources.ts';
import { groupsOf, type JobGroup, mostPlannedGroups } from '../../model/plan/groups.ts';
import { namesOfJobs, readPlannedJobs } from '../../storage/demand/planned-shapes.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import type { ServerContext } from '../context.ts';

/** Reads every edge once, and every job unless most are on none. */
export function showPlannedJobs(
  { view, usualRuntimeMs }: ServerContext,
  { workflow_key }: Request<'planned_jobs'>,
): Reply<'planned_jobs'> {
  const { workflowKey, name, expirationBufferMs, waitForNewJobsMs } = getWorkflow(view, Number(workflow_key));
  const planned = readPlannedJobs(view, workflowKey, usualRuntimeMs);
  const groups = groupsOf(planned, mostPlannedGroups);
  const names = namesOfJobs(view, groups?.map(({ soonestJob }) => planned.keyOf(soonestJob)) ?? []);
  return {
    workflow_key,
    name,
    num_jobs: planned.numWaiting,
    expiration_buffer_seconds: expirationBufferMs / 1000,
    wait_for_new_jobs_seconds: waitForNewJobsMs / 1000,
    groups: groups?.map((group, index) => groupRecord(group, names[index] as string)) ?? null,
  };
}

function groupRecord(group: JobGroup & { slurmConfigKey: number }, name: string): PlannedGroup {
  const { need, slurmConfigKey } = group;
  return {
    first_job: name,
    stage: group.stage,
    num_jobs: group.numJobs,
    num_cpus: need.numCpus,
    memory_bytes: need.memoryBytes,
    gpu_thousandths: need.gpuThousandths,
    num_nodes: need.numNodes,
    runtime_ms: need.runtimeMs,
    is_runtime_stated: need.isRuntimeStated,
    is_memory_stated: need.isMemoryStated,
    expected_ms: need.expectedMs ?? null,
    taken_ms: group.runtimeMs,
    is_taken_known: group.isRuntimeKnown,
    priority: group.priority,
    sort_rank: group.sortRank,
    supports_termination: group.supportsTermination,
    labels: group.labels,
    resources: need.resources ?? noResources,
    slurm_config_key: slurmConfigKey === anyConfig ? null : String(slurmConfigKey),
    first_number: group.firstJob,
    waits_for: group.waitsFor.map(({ group: index, perJob }) => ({ group: index, per_job: perJob })),
  };
}
