/** How a workflow recovers by itself, in words. */
import type { WorkflowShown } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';

export type RecoverySettings = Pick<
  NonNullable<WorkflowShown['recovery']>,
  'max_recoveries' | 'memory_factor' | 'runtime_factor' | 'retry_unknown'
>;

/** `at most 3 recoveries, memory x1.5, runtime x1.5`. */
export function recoveryWords(settings: RecoverySettings): string {
  const { max_recoveries, memory_factor, runtime_factor, retry_unknown } = settings;
  const unknown = retry_unknown ? ', other failures as before' : '';
  const most = `at most ${counted(max_recoveries, 'recovery', 'recoveries')}`;
  return `${most}, memory x${memory_factor}, runtime x${runtime_factor}${unknown}`;
}
