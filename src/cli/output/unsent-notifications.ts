/** What commands say about notifications that were not sent. */
import type { WorkflowShown } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import type { Context } from '../context/context.ts';

/** One line for those that are tried again, one for those that were given up. */
export function unsentLines(
  { torc }: Context,
  workflow: Pick<
    WorkflowShown,
    'workflow_key' | 'num_late_notifications' | 'num_failed_notifications' | 'notification_error'
  >,
): string[] {
  const { workflow_key: key, num_late_notifications: late, num_failed_notifications: failed } = workflow;
  const why = `${workflow.notification_error ?? 'the cause is not known'}: ${torc} notifications list ${key}`;
  return [
    ...(late > 0
      ? [`${counted(late, 'notification')} could not be sent yet, ${why} (a server or the next run tries again)`]
      : []),
    ...(failed > 0 ? [`${counted(failed, 'notification')} could not be sent, ${why}`] : []),
  ];
}
