/** What a workflow asks for that this version of torc reads and checks, but cannot run yet. */
import type { ExpandedWorkflow } from './expanded.ts';

/** Each part that is missing, as a phrase; empty when the workflow can run as it is written. */
export function unsupportedParts(workflow: ExpandedWorkflow): string[] {
  const missing: [boolean, string][] = [
    [workflow.actions.some(({ schedulerType }) => schedulerType === 'local'), 'actions with scheduler_type local'],
    [workflow.usePendingFailed, 'use_pending_failed'],
  ];
  return missing.flatMap(([isMissing, part]) => (isMissing ? [part] : []));
}
