/** What a workflow asks for that this version of torc reads and checks, but cannot run yet. */
import type { ExpandedWorkflow } from './expanded.ts';

/** Each part that is missing, as a phrase; empty when the workflow can run as it is written. */
export function unsupportedParts(workflow: ExpandedWorkflow): string[] {
  const monitor = workflow.resourceMonitor;
  const isMonitored = monitor?.enabled === true;
  const missing: [boolean, string][] = [
    [workflow.failureHandlers.length > 0, 'failure_handlers'],
    [workflow.actions.some(({ schedulerType }) => schedulerType === 'local'), 'actions with scheduler_type local'],
    [workflow.usePendingFailed, 'use_pending_failed'],
    [workflow.requirements.some(({ numNodes }) => numNodes > 1), 'jobs on several nodes (num_nodes)'],
    [
      workflow.schedulers.length > 1 && workflow.numJobsWithScheduler > 0,
      'jobs that belong to one of several schedulers',
    ],
    [isMonitored && monitor.granularity === 'time_series', 'resource_monitor with granularity time_series'],
    [isMonitored && monitor.generatePlots, 'resource_monitor with generate_plots'],
  ];
  return missing.flatMap(([isMissing, part]) => (isMissing ? [part] : []));
}
