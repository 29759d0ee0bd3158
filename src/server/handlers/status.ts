/** How workflows stand, at once or when that has changed. */
import type { Reply, Request } from '../../api/contract.ts';
import { showAutoscaler } from '../../storage/authoring/autoscalers.ts';
import type { Fact } from '../../storage/database/facts.ts';
import { readStatus, readWorkflowStatus, stateOf } from '../../storage/lists/status.ts';
import type { ServerContext } from '../context.ts';

/** With the state of an earlier reply, waits until something has changed since, the time is over, or nobody listens. */
export async function showStatus(
  context: ServerContext,
  request: Request<'status'>,
  signal?: AbortSignal,
): Promise<Reply<'status'>> {
  const { workflow_keys, state, wait_seconds } = request;
  if (state !== null && state === stateOf(context.view, workflow_keys)) {
    await changed(context, workflow_keys, wait_seconds * 1000, signal);
  }
  const status = readStatus(context.view, request, context.lastHeard.isServing);
  return { ...status, cannot_write: context.space.lack };
}

export function showWorkflowStatus(
  { view, lastHeard, space }: ServerContext,
  { workflow_key }: Request<'workflow_status'>,
): Reply<'workflow_status'> {
  const status = readWorkflowStatus(view, Number(workflow_key), lastHeard.isServing);
  return { ...status, cannot_write: space.lack, autoscaler: showAutoscaler(view, Number(workflow_key)) };
}

function changed(
  context: ServerContext,
  workflowKeys: readonly string[] | null,
  mostMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const keys = workflowKeys === null ? null : new Set(workflowKeys.map(Number));
  const concerns = (fact: Fact): boolean =>
    (fact.kind === 'history_grew' || fact.kind === 'allocation_changed') &&
    (keys === null || keys.has(fact.workflowKey));
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      unsubscribe();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = context.clock.after(mostMs, end);
    const unsubscribe = context.subscribe((facts) => facts.some(concerns) && end());
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}
